// SPDX-License-Identifier: AGPL-3.0-only
//! Examples of the RFCs, and vectors computed independently of this crate with another implementation of the hashes.

use super::*;

struct Case {
    challenge: &'static str,
    username: &'static str,
    password: &'static str,
    method: &'static str,
    uri: &'static str,
    cnonce: &'static str,
    count: u32,
    body: &'static str,
}

/// The example of RFC 2617 §3.5 and RFC 7616 §3.9.1.
const WEB: Case = Case {
    challenge: "",
    username: "Mufasa",
    password: "Circle of Life",
    method: "GET",
    uri: "/dir/index.html",
    cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    count: 1,
    body: "",
};

const SIP: Case = Case {
    challenge: "",
    username: "alice",
    password: "secret",
    method: "INVITE",
    uri: "sip:10.0.0.1:5060",
    cnonce: "1a2b",
    count: 10,
    body: "v=0\r\n",
};

impl Case {
    fn answer(&self) -> String {
        let challenge =
            Challenge::choose([self.challenge.as_bytes()].into_iter()).expect("can be answered");
        let mut out = Vec::new();
        Answer {
            username: self.username.as_bytes(),
            password: self.password.as_bytes(),
            sim: &Sim::default(),
            method: self.method.as_bytes(),
            uri: self.uri.as_bytes(),
            body: self.body.as_bytes(),
            cnonce: self.cnonce.as_bytes(),
            count: self.count,
        }
        .append(&challenge, &mut out)
        .expect("no SIM needed");
        String::from_utf8(out).expect("ASCII")
    }

    fn response(&self) -> String {
        let answer = self.answer();
        let (_, rest) = answer.split_once("response=\"").expect("there");
        rest.split('"').next().expect("there").to_owned()
    }

    fn verified(&self, header: &str) -> Verdict {
        verify(
            header.as_bytes(),
            self.method.as_bytes(),
            self.body.as_bytes(),
            self.username.as_bytes(),
            self.password.as_bytes(),
        )
    }
}

#[test]
fn rfc_2617_with_qop() {
    let case = Case {
        challenge: r#"Digest realm="testrealm@host.com",qop="auth",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",opaque="5ccc069c403ebaf9f0171e9517f40e41""#,
        password: "Circle Of Life",
        cnonce: "0a4f113b",
        ..WEB
    };
    assert_eq!(
        case.answer(),
        r#"Digest username="Mufasa",realm="testrealm@host.com",cnonce="0a4f113b",nc=00000001,qop=auth,uri="/dir/index.html",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",response="6629fae49393a05397450978507c4ef1",algorithm=MD5,opaque="5ccc069c403ebaf9f0171e9517f40e41""#
    );
}

#[test]
fn rfc_2069_without_qop() {
    let case = Case {
        challenge: r#"Digest realm="testrealm@host.com",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#,
        password: "CircleOfLife",
        ..WEB
    };
    assert_eq!(
        case.answer(),
        r#"Digest username="Mufasa",realm="testrealm@host.com",uri="/dir/index.html",nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",response="1949323746fe6a43ef61f9606e7febea",algorithm=MD5"#
    );
}

#[test]
fn rfc_7616_and_rfc_8760_algorithms() {
    const REALM: &str = r#"Digest realm="http-auth@example.org",qop="auth",nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",algorithm="#;
    for (name, expected) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (
            "sha-256",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
    ] {
        let challenge = format!("{REALM}{name}").leak();
        let case = Case { challenge, ..WEB };
        assert_eq!(case.response(), expected, "{name}");
        assert!(case.answer().contains(&format!("algorithm={name}")));
    }
    // The response printed in RFC 7616 §3.9.2 does not follow from its inputs; this one does.
    let case = Case {
        challenge: r#"Digest realm="api@example.org",qop="auth",algorithm=SHA-512-256,nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK""#,
        username: "Jäsøn Doe",
        password: "Secret, or not?",
        uri: "/doe.json",
        cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm",
        ..WEB
    };
    assert_eq!(
        case.response(),
        "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c"
    );
}

#[test]
fn sessions_cover_both_nonces_and_auth_int_covers_the_body() {
    for (name, integrity, plain) in [
        (
            "MD5-sess",
            "eeacc4ec530a183345a78f0a2f3b597b",
            "1eaa49448cda0ed4f2404466e24772d3",
        ),
        (
            "SHA-256-sess",
            "29d3cc8e44fe4390259a389ae733282db04094e73373638d2f6ee8703bed33f7",
            "768407f9ac33327f6ae999c4c374be81507469304d73b5a652dffe4591923d59",
        ),
        (
            "SHA-512-256-sess",
            "149faf21065b6858976bca7cb4670fc3677c11500fe379ca5bed3c84514d0c9e",
            "75e7bcdf9a9cd631f3e8a169a9260b326bcdfc4a7f8a8769d5722aa86b356ec9",
        ),
    ] {
        let with =
            format!(r#"Digest realm="example.com",nonce="abc",algorithm={name},qop="auth-int""#);
        let case = Case {
            challenge: with.leak(),
            ..SIP
        };
        assert_eq!(case.response(), integrity, "{name}");
        assert!(case.answer().contains("nc=0000000a,qop=auth-int"), "{name}");
        let without = format!(r#"Digest realm="example.com",nonce="abc",algorithm={name}"#);
        let case = Case {
            challenge: without.leak(),
            ..SIP
        };
        assert_eq!(case.response(), plain, "{name}");
        // The server needs it for the first hash.
        assert!(case.answer().contains(r#"cnonce="1a2b",uri="#), "{name}");
    }
}

#[test]
fn what_is_answered_verifies_and_nothing_else_does() {
    for algorithm in [
        "MD5",
        "MD5-sess",
        "SHA-256",
        "SHA-256-sess",
        "SHA-512-256",
        "SHA-512-256-sess",
    ] {
        for qop in ["", r#",qop="auth""#, r#",qop="auth,auth-int""#] {
            let challenge =
                format!(r#"Digest realm="r",nonce="n",algorithm={algorithm}{qop},opaque="o""#);
            let case = Case {
                challenge: challenge.clone().leak(),
                ..SIP
            };
            let header = case.answer();
            assert_eq!(case.verified(&header), Verdict::Right, "{header}");
            let others = [
                Case {
                    username: "bob",
                    ..SIP
                },
                Case {
                    password: "other",
                    ..SIP
                },
                Case {
                    method: "BYE",
                    ..SIP
                },
            ];
            for other in others {
                assert_eq!(other.verified(&header), Verdict::Wrong, "{header}");
            }
            let other = Case { body: "v=1", ..SIP };
            let covered = qop.contains("auth-int");
            assert_eq!(
                other.verified(&header) == Verdict::Wrong,
                covered,
                "{header}"
            );
            let short = header.replace("response=\"", "response=\"0");
            assert_eq!(case.verified(&short), Verdict::Wrong);
        }
    }
}

#[test]
fn a_client_nonce_alone_means_the_newer_formula() {
    let first = Hash::Md5.hex(&[b"u", b"r", b"p"]);
    let second = Hash::Md5.hex(&[b"BYE", b"sip:x"]);
    let response = Hash::Md5.hex(&[&first, b"n", b"", b"c", b"", &second]);
    let response = std::str::from_utf8(&response).expect("digits");
    let header = format!(
        r#"Digest username="x",realm="r",nonce="n",uri="sip:x",cnonce="c",response="{response}""#
    );
    assert_eq!(
        verify(header.as_bytes(), b"BYE", b"", b"u", b"p"),
        Verdict::Right
    );
}

#[test]
fn what_cannot_be_verified_is_told_apart() {
    let case = SIP;
    assert_eq!(case.verified("Basic abc"), Verdict::NotDigest);
    assert_eq!(case.verified(""), Verdict::NotDigest);
    for name in ["SHA-1", "AKAv1-MD5", "AKAv2-SHA-256"] {
        let header = format!("Digest realm=\"r\",algorithm={name}");
        assert_eq!(case.verified(&header), Verdict::Unsupported, "{name}");
    }
    assert_eq!(case.verified("Digest realm=\"r\""), Verdict::Wrong);
}

#[test]
fn a_sim_answers_instead_of_the_password() {
    // RAND, SQN ⊕ AK, AMF and MAC of set 1 of 3GPP TS 35.208.
    let challenge = r#"Digest realm="ims",nonce="I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M=",algorithm=AKAv1-MD5,qop="auth""#;
    let challenge = Challenge::choose([challenge.as_bytes()].into_iter()).expect("whole");
    let answer = |sim: &Sim| {
        let mut out = Vec::new();
        let answer = Answer {
            username: b"u",
            password: b"ignored",
            sim,
            method: b"REGISTER",
            uri: b"sip:x",
            body: b"",
            cnonce: b"c",
            count: 1,
        };
        answer.append(&challenge, &mut out).map(|()| out)
    };
    let sim = Sim {
        k: 0x465b_5ce8_b199_b49f_aa5f_0a2e_e238_a6bc_u128.to_be_bytes(),
        op: 0xcdc2_02d5_123e_20f6_2b6d_676a_c72c_b318_u128.to_be_bytes(),
        amf: Some([0xb9, 0xb9]),
    };
    let out = answer(&sim).expect("the keys are right");
    let res = [0xa5, 0x42, 0x11, 0xd5, 0xe3, 0xba, 0x50, 0xbf];
    // Without its last field the header is one of plain MD5 with RES as password.
    let plain = out.strip_suffix(b"algorithm=AKAv1-MD5").expect("the last");
    assert_eq!(verify(plain, b"REGISTER", b"", b"u", &res), Verdict::Right);
    assert_eq!(answer(&Sim::default()), Err(AkaError::Mac));
}
