//! A login program: client-go's credential plugins, which a kubeconfig names under `users[].user.exec`.
//!
//! <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>;
//! details as in client-go's `plugin/pkg/client/auth/exec`. Not when it is run ([`crate::login`]). Invariant: the
//! program gets standard input only if that is a terminal, so that it never reads a manifest; and no error
//! repeats what it prints.

use std::io::{self, IsTerminal as _};
use std::process::{Command, Stdio};

use jiff::Timestamp;
use kube::config::{Cluster, ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::error::{PluginError, RouteError};
use crate::identity::Identity;

/// The name of the cluster's extension that is meant for login programs.
const CLUSTER_EXTENSION: &str = "client.authentication.k8s.io/exec";

/// A login program of a user, ready to run.
pub(crate) struct Plugin {
    pub(crate) user: String,
    config: ExecConfig,
}

/// The credentials that a login program gave. No `Debug`: it holds a token and a private key.
pub(crate) struct Credential {
    pub(crate) token: Option<Zeroizing<String>>,
    pub(crate) identity: Option<Identity>,
    pub(crate) expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecCredential {
    api_version: String,
    kind: String,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    expiration_timestamp: Option<Timestamp>,
    token: Option<Zeroizing<String>>,
    client_certificate_data: Option<String>,
    client_key_data: Option<Zeroizing<String>>,
}

impl Plugin {
    /// The program for a user of a kubeconfig. It is told about the cluster only if it asks for that.
    pub(crate) fn new(
        user: &str,
        config: &ExecConfig,
        cluster: &Cluster,
        authorities: Option<&[u8]>,
    ) -> Self {
        let mut config = config.clone();
        config.cluster = config.provide_cluster_info.then(|| {
            let extensions = cluster.extensions.iter().flatten();
            let extension = extensions.into_iter().find(|extension| extension.name == CLUSTER_EXTENSION);
            ExecAuthCluster {
                server: cluster.server.clone(),
                insecure_skip_tls_verify: cluster.insecure_skip_tls_verify,
                certificate_authority_data: authorities.map(<[u8]>::to_vec),
                proxy_url: cluster.proxy_url.clone(),
                tls_server_name: cluster.tls_server_name.clone(),
                config: extension.map(|extension| extension.extension.clone()),
            }
        });
        Self { user: user.to_owned(), config }
    }

    /// Runs the program and waits for it, without a deadline: a person may have to type a code into a browser.
    ///
    /// # Errors
    ///
    /// [`RouteError::Plugin`].
    pub(crate) fn run(&self) -> Result<Credential, RouteError> {
        self.try_run().map_err(|source| RouteError::Plugin {
            user: self.user.clone(),
            command: self.command().to_owned(),
            source,
        })
    }

    /// The command; empty if the kubeconfig has none.
    pub(crate) fn command(&self) -> &str {
        self.config.command.as_deref().unwrap_or_default()
    }

    fn try_run(&self) -> Result<Credential, PluginError> {
        let config = &self.config;
        let version = match config.api_version.as_deref() {
            Some(v @ ("client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1")) => v,
            _ => return Err(PluginError::Version),
        };
        if self.command().is_empty() {
            return Err(PluginError::NoCommand);
        }
        let is_interactive = is_interactive(config.interactive_mode.as_ref(), io::stdin().is_terminal())?;
        let variables = config.env.iter().flatten();
        let variables =
            variables.filter_map(|variable| Some((variable.get("name")?, variable.get("value")?)));
        let output = Command::new(self.command())
            .args(config.args.iter().flatten())
            .envs(variables)
            .env("KUBERNETES_EXEC_INFO", exec_info(version, is_interactive, config.cluster.as_ref()))
            .stdin(if is_interactive { Stdio::inherit() } else { Stdio::null() })
            .stderr(Stdio::inherit())
            .output()
            .map_err(|source| PluginError::Start { install_hint: config.install_hint.clone(), source })?;
        let printed = Zeroizing::new(output.stdout);
        match output.status.code() {
            Some(0) => parse(&printed, version),
            Some(code) => Err(PluginError::Exit(code)),
            None => Err(PluginError::Killed),
        }
    }
}

/// Whether the program may ask a person. A missing mode means `IfAvailable`, as kubectl has it for v1beta1.
fn is_interactive(mode: Option<&ExecInteractiveMode>, is_terminal: bool) -> Result<bool, PluginError> {
    match mode {
        Some(ExecInteractiveMode::Never) => Ok(false),
        Some(ExecInteractiveMode::Always) if !is_terminal => Err(PluginError::NoTerminal),
        _ => Ok(is_terminal),
    }
}

/// The text of `KUBERNETES_EXEC_INFO`.
fn exec_info(version: &str, is_interactive: bool, cluster: Option<&ExecAuthCluster>) -> String {
    let mut spec = json!({"interactive": is_interactive});
    if let Some(cluster) = cluster.and_then(|cluster| serde_json::to_value(cluster).ok()) {
        spec["cluster"] = cluster;
    }
    json!({"kind": "ExecCredential", "apiVersion": version, "spec": spec}).to_string()
}

/// Reads the output of a login program: JSON, or YAML, which some scripts print.
fn parse(printed: &[u8], version: &str) -> Result<Credential, PluginError> {
    let credential: ExecCredential = serde_json::from_slice(printed)
        .ok()
        .or_else(|| serde_yaml::from_slice(printed).ok())
        .filter(|credential: &ExecCredential| {
            credential.kind == "ExecCredential" && credential.api_version == version
        })
        .ok_or(PluginError::NotCredential)?;
    let status = credential.status.ok_or(PluginError::Nothing)?;
    let token = status.token.filter(|token| !token.is_empty());
    let certificate = status.client_certificate_data.filter(|pem| !pem.is_empty());
    let key = status.client_key_data.filter(|pem| !pem.is_empty());
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes());
            Some(identity.map_err(|(field, error)| PluginError::Identity(field, error))?)
        }
        (None, None) if token.is_some() => None,
        _ => return Err(PluginError::Nothing),
    };
    Ok(Credential { token, identity, expires: status.expiration_timestamp })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    fn plugin(exec: &str) -> Plugin {
        let cluster: Cluster = serde_yaml::from_str(
            "{server: 'https://x', proxy-url: 'http://p', tls-server-name: n, \
             extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: a}}]}",
        )
        .unwrap();
        let config = serde_yaml::from_str(exec).unwrap();
        Plugin::new("me", &config, &cluster, Some(b"authorities"))
    }

    fn said(exec: &str) -> String {
        match plugin(exec).run() {
            Ok(_) => "credentials".to_owned(),
            Err(RouteError::Plugin { source, .. }) => source.to_string(),
            Err(other) => other.to_string(),
        }
    }

    #[test]
    fn what_it_is_told_is_what_kubectl_tells() {
        let told = plugin("{provideClusterInfo: true}");
        let told: serde_json::Value =
            serde_json::from_str(&exec_info(V1, false, told.config.cluster.as_ref())).unwrap();
        let expected = json!({
            "kind": "ExecCredential", "apiVersion": V1,
            "spec": {"interactive": false, "cluster": {
                "server": "https://x", "proxy-url": "http://p", "tls-server-name": "n",
                "certificate-authority-data": "YXV0aG9yaXRpZXM=", "config": {"audience": "a"},
            }},
        });
        assert_eq!(told, expected);
        let told = exec_info(V1, true, plugin("{}").config.cluster.as_ref());
        let expected = json!({"kind": "ExecCredential", "apiVersion": V1, "spec": {"interactive": true}});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&told).unwrap(), expected);
    }

    #[test]
    fn standard_input_is_given_only_where_it_is_a_terminal() {
        use ExecInteractiveMode::{Always, IfAvailable, Never};
        for (mode, on_terminal, elsewhere) in [
            (None, Some(true), Some(false)),
            (Some(IfAvailable), Some(true), Some(false)),
            (Some(Never), Some(false), Some(false)),
            (Some(Always), Some(true), None),
        ] {
            assert_eq!(is_interactive(mode.as_ref(), true).ok(), on_terminal, "{mode:?}");
            assert_eq!(is_interactive(mode.as_ref(), false).ok(), elsewhere, "{mode:?}");
        }
    }

    #[test]
    fn what_it_prints_is_read_and_never_repeated() {
        let token =
            |text: &str| parse(text.as_bytes(), V1).map(|credential| credential.token.unwrap().to_string());
        let head = format!("\"kind\":\"ExecCredential\",\"apiVersion\":\"{V1}\"");
        assert_eq!(token(&format!("{{{head},\"status\":{{\"token\":\"a\\/b\"}}}}\n")).unwrap(), "a/b");
        assert_eq!(
            token(&format!("apiVersion: {V1}\nkind: ExecCredential\nstatus: {{token: t}}\n")).unwrap(),
            "t"
        );
        let expiring = format!(
            "{{{head},\"status\":{{\"token\":\"t\",\"expirationTimestamp\":\"2035-01-01T01:00:00+01:00\"}}}}"
        );
        let expires = parse(expiring.as_bytes(), V1).ok().unwrap().expires.unwrap();
        assert_eq!(expires.to_string(), "2035-01-01T00:00:00Z");
        for nothing in ["{}", "{\"token\":\"\"}", "{\"clientKeyData\":\"k\",\"token\":\"t\"}", "null"] {
            let error = token(&format!("{{{head},\"status\":{nothing}}}")).unwrap_err();
            assert!(matches!(error, PluginError::Nothing), "{nothing}");
        }
        let other = head.replace("/v1", "/v1beta1");
        for wrong in [
            "hunter2",
            "",
            "{",
            &format!("{{{other},\"status\":{{\"token\":\"hunter2\"}}}}"),
            &format!("{{{head},\"status\":{{\"token\":[\"hunter2\"]}}}}"),
            &format!("{{{head},\"status\":{{\"token\":\"t\",\"expirationTimestamp\":\"hunter2\"}}}}"),
        ] {
            let error = token(wrong).unwrap_err();
            assert!(matches!(error, PluginError::NotCredential), "{wrong}");
        }
    }

    #[test]
    fn why_it_gives_nothing_is_said() {
        let run = |script: &str| {
            said(&format!(
                "{{apiVersion: {V1}, command: sh, args: ['-c', '{script}'], interactiveMode: Never}}"
            ))
        };
        assert_eq!(run("exit 7"), "exit code 7");
        assert_eq!(run("kill -9 $$"), "it was killed");
        assert_eq!(run("true"), "it printed no ExecCredential of the apiVersion that was asked for");
        assert_eq!(said(&format!("{{apiVersion: {V1}, command: /no/such}}")), "it can't be started");
        assert_eq!(said(&format!("{{apiVersion: {V1}}}")), "command is missing");
        let old = "{apiVersion: client.authentication.k8s.io/v1alpha1, command: 'true'}";
        assert_eq!(said(old), "apiVersion isn't client.authentication.k8s.io/v1 or v1beta1");
    }

    #[test]
    fn a_program_that_is_missing_is_hinted_at_as_the_kubeconfig_says() {
        let hint = |exec: String| plugin(&exec).run().err().unwrap().hint().unwrap();
        let missing = format!("apiVersion: {V1}\ncommand: /no/such\n");
        assert_eq!(hint(format!("{missing}installHint: brew install it\n")), "brew install it");
        assert_eq!(hint(missing), "is it installed, and in PATH?");
    }

    #[test]
    fn it_reads_no_manifest_and_gets_the_variables_of_the_kubeconfig() {
        let credential = plugin(&format!(
            "{{apiVersion: {V1}, command: sh, interactiveMode: Never, env: [{{name: A, value: b}}], args: ['-c', \
             'printf \"kind: ExecCredential\\napiVersion: {V1}\\nstatus: {{token: %s-%s}}\" \"$A\" \"$(cat | wc -c)\"']}}"
        ))
        .run();
        assert_eq!(credential.ok().unwrap().token.unwrap().trim(), "b-0");
    }
}
