// SPDX-License-Identifier: AGPL-3.0-only
//! An authority and the certificates it makes, as the PEM files that flags name.
//!
//! Made anew for every test, so that none expires in the repository.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

/// The files of one owner.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, with those that lead to the authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// How a certificate differs from a good one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Flaw {
    /// Not at all.
    #[default]
    None,
    /// It ended in 2001.
    Expired,
    /// It begins in 2900.
    NotYet,
    /// The authority has revoked it; see [`Authority::revocation_list`].
    Revoked,
}

/// The serial number of revoked certificates.
const REVOKED: u64 = 666;

/// An authority in a folder of its own.
pub struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, for `-tls_ca`.
    pub file: PathBuf,
    /// Its certificate with its key, as one who serves with it has.
    pub identity: Identity,
}

fn write(path: PathBuf, text: &str) -> PathBuf {
    std::fs::write(&path, text).expect("a file in the folder of the test");
    path
}

impl Authority {
    /// Makes an authority of this name in a folder.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params.distinguished_name = distinguished(name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let file = write(folder.join(format!("{name}.pem")), &pem);
        let identity = Identity {
            certificate: file.clone(),
            key: write(folder.join(format!("{name}.key")), &key.serialize_pem()),
        };
        Self {
            folder: folder.to_owned(),
            issuer: Issuer::new(params, key),
            file,
            identity,
        }
    }

    /// Makes a certificate for the names and addresses, in files called after `file`.
    ///
    /// # Panics
    /// When a name is malformed or the folder cannot be written.
    #[must_use]
    pub fn identity(&self, file: &str, names: &[&str], flaw: Flaw) -> Identity {
        let mut params = CertificateParams::new(
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>(),
        )
        .expect("good names");
        params.distinguished_name = distinguished(file);
        match flaw {
            Flaw::None => {}
            Flaw::Expired => {
                params.not_before = date_time_ymd(2000, 1, 1);
                params.not_after = date_time_ymd(2001, 1, 1);
            }
            Flaw::NotYet => {
                params.not_before = date_time_ymd(2900, 1, 1);
                params.not_after = date_time_ymd(2901, 1, 1);
            }
            Flaw::Revoked => params.serial_number = Some(SerialNumber::from(REVOKED)),
        }
        let key = KeyPair::generate().expect("a key");
        let pem = params
            .signed_by(&key, &self.issuer)
            .expect("a certificate")
            .pem();
        Identity {
            certificate: write(self.folder.join(format!("{file}.pem")), &pem),
            key: write(
                self.folder.join(format!("{file}.key")),
                &key.serialize_pem(),
            ),
        }
    }

    /// Makes an authority of this one's, and gives it with the chain file of a certificate by it.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn through_intermediate(&self, file: &str, names: &[&str]) -> Identity {
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name = distinguished(&format!("{file}-between"));
        let key = KeyPair::generate().expect("a key");
        let between = params
            .signed_by(&key, &self.issuer)
            .expect("a certificate")
            .pem();
        let lower = Self {
            folder: self.folder.clone(),
            issuer: Issuer::new(params, key),
            file: self.file.clone(),
            identity: self.identity.clone(),
        };
        let identity = lower.identity(file, names, Flaw::None);
        let own = std::fs::read_to_string(&identity.certificate).expect("just written");
        write(identity.certificate.clone(), &(own + &between));
        identity
    }

    /// A list that revokes what was made with [`Flaw::Revoked`]; out of date if asked for.
    ///
    /// # Panics
    /// When the folder cannot be written.
    #[must_use]
    pub fn revocation_list(&self, out_of_date: bool) -> PathBuf {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2001, 1, 1),
            next_update: date_time_ymd(if out_of_date { 2002 } else { 2900 }, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(REVOKED),
                revocation_time: date_time_ymd(2001, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).expect("a list");
        let name = if out_of_date {
            "old-crl.pem"
        } else {
            "crl.pem"
        };
        write(self.folder.join(name), &list.pem().expect("PEM"))
    }
}

fn distinguished(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
