//! The flags, parsed into types and checked against each other.
//!
//! [`super::flags`] has their syntax. Invariant: every flag that is taken has its effect, or the help says
//! that it has none.

use std::path::PathBuf;
use std::time::Duration;

use seal_crds::{Scope, duration};
use secrecy::SecretString;

use super::failure::KubesealError;
use super::flags::FlagValues;

use crate::keys::cluster::{Access, Login, Server, Service};

/// The options of one run. It has no `Debug`, since it may hold a token.
pub(super) struct Options {
    pub(super) certificate: Option<String>,
    pub(super) controller: Service,
    pub(super) format: String,
    pub(super) input: Option<PathBuf>,
    pub(super) output: Option<PathBuf>,
    pub(super) merge_into: Option<PathBuf>,
    pub(super) name: Option<String>,
    /// Set only if given as a flag; the kubeconfig's namespace is not used here.
    pub(super) namespace: Option<String>,
    /// Set only if given as a flag and not strict: kubeseal can't tell strict from no flag.
    pub(super) scope: Option<Scope>,
    pub(super) from_file: Vec<String>,
    pub(super) private_keys: Vec<String>,
    pub(super) may_be_empty: bool,
    pub(super) is_fetch: bool,
    pub(super) is_validate: bool,
    pub(super) is_raw: bool,
    pub(super) is_reencrypt: bool,
    pub(super) is_unseal: bool,
    pub(super) access: Access,
}

impl Options {
    /// Reads the options from the values of flags.
    ///
    /// # Errors
    ///
    /// [`KubesealError::Timeout`].
    pub(super) fn new(values: &FlagValues) -> Result<Self, KubesealError> {
        let path = |name: &str| values.text(name).map(PathBuf::from);
        let default = Service::default();
        let scope = values.text("scope").and_then(|scope| scope.parse::<Scope>().ok());
        let input = path("secret-file");
        let mut output = path("sealed-secret-file");
        // Only `--re-encrypt` replaces its input.
        if values.is_set("re-encrypt") && output.is_none() {
            output.clone_from(&input);
        }
        let is_yaml =
            |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let format = match &output {
            Some(output) if is_yaml(output) => "yaml".to_owned(),
            _ => values.text("format").unwrap_or_default().to_lowercase(),
        };
        Ok(Self {
            certificate: values.text("cert"),
            controller: Service {
                namespace: values.text("controller-namespace").unwrap_or(default.namespace),
                name: values.text("controller-name").unwrap_or(default.name),
            },
            format,
            input,
            output,
            merge_into: path("merge-into"),
            name: values.text("name"),
            namespace: values.text("namespace"),
            // To kubeseal the default is no choice, even if it was typed.
            scope: scope.filter(|scope| *scope != Scope::default()),
            from_file: values.texts("from-file"),
            private_keys: values.texts("recovery-private-key"),
            may_be_empty: values.is_set("allow-empty-data"),
            is_fetch: values.is_set("fetch-cert"),
            is_validate: values.is_set("validate"),
            is_raw: values.is_set("raw"),
            is_reencrypt: values.is_set("re-encrypt"),
            is_unseal: values.is_set("recovery-unseal"),
            access: access(values)?,
        })
    }
}

fn access(values: &FlagValues) -> Result<Access, KubesealError> {
    let groups = values.texts("as-group");
    Ok(Access {
        kubeconfig: values.text("kubeconfig").map(PathBuf::from),
        context: values.text("context"),
        cluster: values.text("cluster"),
        user: values.text("user"),
        server: Server {
            url: values.text("server"),
            certificate_authority: values.text("certificate-authority"),
            insecure_skip_tls_verify: values.given("insecure-skip-tls-verify"),
            tls_server_name: values.text("tls-server-name"),
            proxy_url: values.text("proxy-url"),
        },
        login: Login {
            token: values.text("token").map(SecretString::from),
            username: values.text("username"),
            password: values.text("password").map(SecretString::from),
            client_certificate: values.text("client-certificate"),
            client_key: values.text("client-key"),
            impersonate: values.text("as"),
            impersonate_uid: values.text("as-uid"),
            impersonate_groups: (!groups.is_empty()).then_some(groups),
        },
        request_timeout: values.text("request-timeout").map_or(Ok(None), |text| timeout(&text))?,
        may_be_in_cluster: true,
    })
}

/// Parses a timeout as kubectl does: a number of seconds, or a duration of Go's. Zero gives `None`, so that the defaults
/// apply.
fn timeout(text: &str) -> Result<Option<Duration>, KubesealError> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    let timeout = seconds
        .or_else(|| duration::parse_go(text))
        .ok_or_else(|| KubesealError::Timeout(text.to_owned()))?;
    Ok((timeout > Duration::ZERO).then_some(timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_of_zero_is_the_default_one() {
        assert_eq!(timeout("0s").ok(), Some(None));
        assert_eq!(timeout("0").ok(), Some(None));
        assert_eq!(timeout("30").ok(), Some(Some(Duration::from_secs(30))));
        assert_eq!(timeout("1m").ok(), Some(Some(Duration::from_secs(60))));
        assert!(timeout("1d").is_err());
    }
}
