//! temp
use gossipper_runtime::transport::tls::*;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
fn cpu() -> f64 { let s = std::fs::read_to_string("/proc/self/stat").unwrap(); let v: Vec<&str> = s.split(' ').collect(); (v[13].parse::<f64>().unwrap()+v[14].parse::<f64>().unwrap())/100.0 }
fn main() {
    let d = tempfile::tempdir().unwrap();
    let ca = gossipper_testkit::certs::Authority::new(d.path(), "ca");
    let id = ca.identity("x", &["x"], gossipper_testkit::certs::Flaw::None);
    for version in [TlsVersion::V1_3, TlsVersion::V1_2] { for resume in [false, true] {
        let c = TlsConfig { resume, version: Some(version), certificate: Some(id.certificate.clone()), key: Some(id.key.clone()), ..TlsConfig::default() };
        let server = TlsServer::new(&c).unwrap();
        let client = TlsClient::new(&TlsConfig { certificate: None, key: None, ..c }, "x", "127.0.0.1".parse().unwrap()).unwrap();
        let rt = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let n = 5000; let t = Instant::now(); let c0 = cpu();
        rt.block_on(async { for _ in 0..n {
            let (a, b) = tokio::io::duplex(65536);
            tokio::join!(async { let mut s = client.connect(a).await.unwrap(); s.write_all(b"x").await.unwrap(); s.flush().await.unwrap(); let mut x=[0;1]; s.read_exact(&mut x).await.unwrap(); },
             async { let mut s = server.accept(b).await.unwrap(); let mut x=[0;1]; s.read_exact(&mut x).await.unwrap(); s.write_all(b"y").await.unwrap(); s.flush().await.unwrap(); });
        }});
        let c = cpu()-c0;
        println!("{version} resume {resume}: {:.0} us wall, {:.0} us cpu both sides", t.elapsed().as_secs_f64()*1e6/n as f64, c*1e6/n as f64);
    } }
}
