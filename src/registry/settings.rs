//! How the registry is reached.

use crate::registry::{
    RegistrySettingsError, SchemaRegistry,
    credentials::Credentials,
    transport::{Connection, Transport},
};
use hyper::Uri;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{sync::Arc, time::Duration};

const LEAST_TIME: Duration = Duration::from_millis(1);
const MOST_TIME: Duration = Duration::from_secs(3600);

/// How a schema registry is reached; from [`SchemaRegistry::builder`].
///
/// The system's certificate authorities are trusted; [`ca_certificates`](Self::ca_certificates) adds to them.
#[derive(Clone, Debug)]
#[must_use]
pub struct SchemaRegistryBuilder {
    urls: Vec<String>,
    credentials: Option<Credentials>,
    certificates: Vec<u8>,
    timeout: Duration,
    absent_for: Duration,
    may_register: bool,
}

impl SchemaRegistryBuilder {
    pub(super) fn new(urls: Vec<String>) -> Self {
        Self {
            urls,
            credentials: None,
            certificates: Vec::new(),
            timeout: Duration::from_secs(5),
            absent_for: Duration::from_secs(10),
            may_register: false,
        }
    }

    /// Sends user and password (HTTP basic authentication). The user has no colon in it.
    pub fn basic_auth(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::Basic { user: user.into(), password: password.into() });
        self
    }

    /// Sends a bearer token.
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::Bearer(token.into()));
        self
    }

    /// Trusts these certificate authorities, too: one or more certificates in PEM.
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates = pem.into();
        self
    }

    /// How long one address may take for one answer, connecting included. Default 5 s; 1 ms to an hour.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long "there is no such schema" is believed before the registry is asked again. Default 10 s; 1 ms to an
    /// hour.
    pub fn absent_for(mut self, expiry: Duration) -> Self {
        self.absent_for = expiry;
        self
    }

    /// Lets this client register schemas, which it does not otherwise.
    pub fn allow_registration(mut self) -> Self {
        self.may_register = true;
        self
    }

    /// A client of that registry. Nothing is asked yet.
    ///
    /// # Errors
    /// If an address, a credential, a time or a certificate cannot be used.
    pub fn build(self) -> Result<SchemaRegistry, RegistrySettingsError> {
        if self.urls.is_empty() {
            return Err(RegistrySettingsError::NoUrl);
        }
        let urls: Result<Vec<_>, _> = self.urls.iter().enumerate().map(|(at, url)| address(at + 1, url)).collect();
        let urls = urls?;
        time("timeout", self.timeout)?;
        time("absent_for", self.absent_for)?;
        let is_secure = urls.iter().any(|url| url.starts_with("https:"));
        let transport = Transport {
            urls,
            authorization: self.credentials.as_ref().map(Credentials::header).transpose()?,
            client: client(is_secure, &self.certificates)?,
            timeout: self.timeout,
            first: 0.into(),
        };
        Ok(SchemaRegistry::of(transport, self.absent_for, self.may_register))
    }
}

fn time(setting: &'static str, given: Duration) -> Result<(), RegistrySettingsError> {
    let is_within = (LEAST_TIME..=MOST_TIME).contains(&given);
    let outside = RegistrySettingsError::Time { setting, given, least: LEAST_TIME, most: MOST_TIME };
    is_within.then_some(()).ok_or(outside)
}

/// The address without a slash at the end.
fn address(number: usize, text: &str) -> Result<String, RegistrySettingsError> {
    let wrong = |why| RegistrySettingsError::Url { number, why };
    let uri: Uri = text.trim().parse().map_err(|_| wrong("it is not a URL"))?;
    let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("it begins with neither http:// nor https://"));
    }
    if authority.as_str().contains('@') {
        return Err(wrong("it holds credentials, which `basic_auth` takes"));
    }
    if uri.query().is_some() {
        return Err(wrong("it has a query"));
    }
    Ok(text.trim().trim_end_matches('/').to_owned())
}

fn client(is_secure: bool, certificates: &[u8]) -> Result<Connection, RegistrySettingsError> {
    let wrong = |error: &dyn std::fmt::Display| RegistrySettingsError::Certificates(error.to_string());
    let mut roots = RootCertStore::empty();
    if is_secure {
        // What the system holds and cannot be read is its own matter; a registry that needs it will not be trusted.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    for certificate in CertificateDer::pem_slice_iter(certificates) {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    if !certificates.is_empty() && roots.is_empty() {
        return Err(RegistrySettingsError::Certificates("the PEM holds no certificate".to_owned()));
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(urls: &[&str]) -> String {
        SchemaRegistry::builder(urls.iter().copied()).build().expect_err("it is refused").to_string()
    }

    #[test]
    fn addresses_are_checked_and_passwords_in_them_not_repeated() {
        assert_eq!(refused(&[]), "a schema registry needs at least one URL");
        let secret = refused(&["http://good:8081", "http://ann:hunter2@bad:8081"]);
        assert!(secret.starts_with("URL 2 ") && !secret.contains("hunter2"), "{secret}");
        for bad in ["", "registry:8081", "ftp://registry", "http://registry?x=1", "http://a b"] {
            assert!(refused(&[bad]).starts_with("URL 1 "), "{bad}");
        }
    }

    #[test]
    fn times_and_certificates_are_checked() {
        let builder = || SchemaRegistry::builder(["http://registry"]);
        assert!(builder().timeout(Duration::ZERO).build().is_err());
        assert!(builder().absent_for(Duration::from_secs(4_000)).build().is_err());
        let certificates = builder().ca_certificates("no PEM").build();
        assert!(matches!(certificates, Err(RegistrySettingsError::Certificates(_))));
        assert!(builder().build().is_ok());
    }

    #[test]
    fn no_secret_is_in_the_debug_output() {
        let builder = SchemaRegistry::builder(["http://registry"]).basic_auth("ann", "hunter2");
        assert!(!format!("{builder:?}").contains("hunter2"));
        assert!(!format!("{:?}", builder.build().unwrap()).contains("hunter2"));
    }
}
