//! TLS to a hub behind it: rustls, with the authorities that the system trusts or those of `--ca`.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result, bail};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;

/// A connection, with TLS or without. The box keeps plain ones small, of which there are very many.
pub(crate) type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// How connections to one host are secured.
#[derive(Debug)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// `host` is the name or address that the certificate must be for.
    pub(super) fn new(host: &str, ca: Option<&Path>) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned()).with_context(|| format!("{host} is no name of a server"))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(roots(ca)?).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Each connection stands for another client, which has no session to resume.
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), name })
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(self.name.clone(), stream).await.context("TLS handshake (--ca FILE trusts other authorities)")
    }
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            bail!("this system has no authorities that can be read; --ca FILE names one");
        }
        return Ok(roots);
    };
    let file = || format!("--ca {}", path.display());
    for certificate in CertificateDer::pem_file_iter(path).with_context(file)? {
        roots.add(certificate.with_context(file)?).with_context(file)?;
    }
    if roots.is_empty() {
        bail!("{}: no certificate in PEM", file());
    }
    Ok(roots)
}
