//! Errors on the way to a cluster: which file, which field, and what is wrong with it.
//!
//! Invariant: every message is made of fixed words and names. A parser's own text may quote a token, and a URL
//! may hold a password.

use std::path::PathBuf;
use std::{fmt, io};

/// A kubeconfig can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No file is named, and the home directory holds none.
    #[error("there is no kubeconfig")]
    None,
    /// Every file in `KUBECONFIG` is missing.
    #[error("KUBECONFIG names no file that exists: {}", list(.0))]
    Missing(Vec<PathBuf>),
    /// A file of the kubeconfig can't be read.
    #[error("the kubeconfig {} can't be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// A file is neither UTF-8 nor UTF-16.
    #[error("the kubeconfig {} isn't text", .0.display())]
    NotText(PathBuf),
    /// A file isn't YAML, or isn't a kubeconfig.
    #[error("the kubeconfig {} isn't valid{place}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// ` at line 6, column 2`; empty if the place isn't known.
        place: String,
    },
    /// A file can't be merged with the files before it.
    #[error("the kubeconfig {} has another kind or apiVersion than the files before it", .0.display())]
    OtherKind(PathBuf),
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// A kubeconfig, or a Pod's service account, leads to no cluster.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The kubeconfig couldn't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The kubeconfig has no current context.
    #[error("the kubeconfig names no current context")]
    NoCurrentContext,
    /// The kubeconfig has no context of this name.
    #[error("the kubeconfig has no context {0}")]
    NoContext(String),
    /// The context names a cluster that the kubeconfig doesn't have.
    #[error("the kubeconfig has no cluster {cluster}, which context {context} names")]
    NoCluster {
        /// The context.
        context: String,
        /// The cluster.
        cluster: String,
    },
    /// The cluster has no URL.
    #[error("cluster {0} of the kubeconfig has no server")]
    NoServer(String),
    /// A value can't be used.
    #[error("{field} can't be used")]
    Value {
        /// The field that holds the value.
        field: Field,
        /// What is wrong with the value.
        source: ValueError,
    },
    /// The user has two ways to log in, of which kubectl allows one.
    #[error("user {0} of the kubeconfig has both a token and a user name; only one is allowed")]
    TwoLogins(String),
    /// The user logs in by an auth provider, a kind of login that isn't supported.
    #[error("auth-provider {name} of user {user} isn't supported")]
    AuthProvider {
        /// The user.
        user: String,
        /// The provider.
        name: String,
    },
    /// A login program gave no credentials.
    #[error("the login program {command} of user {user} gives no credentials")]
    Plugin {
        /// The user.
        user: String,
        /// The command that the kubeconfig names.
        command: String,
        /// Why it gave none.
        source: PluginError,
    },
    /// The certificate authorities of the operating system can't be loaded.
    #[error("this system's trusted authorities can't be loaded")]
    SystemRoots,
    /// The program is ending.
    #[error("the login was interrupted")]
    Interrupted,
    /// Any other error of kube while it makes a client.
    #[error("the kubeconfig doesn't make a client")]
    Client,
}

impl RouteError {
    /// What the user can try.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Plugin { source: PluginError::Start { install_hint, .. }, .. } => {
                let hint = install_hint.clone().filter(|hint| !hint.trim().is_empty());
                hint.unwrap_or_else(|| "is it installed, and in PATH?".to_owned())
            }
            Self::Plugin { command, .. } => {
                format!("run {command} by hand, or log in again: does kubectl work there?")
            }
            Self::AuthProvider { .. } => {
                "kubectl has dropped it, too: use a login program (users[].user.exec)".to_owned()
            }
            Self::Value { source: ValueError::NoScheme, .. } => {
                "write https:// in front of it, or http:// for a server on this machine".to_owned()
            }
            Self::Value { source: ValueError::NamesUser, .. } => {
                "give the user's username and password as fields of their own".to_owned()
            }
            Self::NoContext(_) => "kubectl config get-contexts lists them".to_owned(),
            Self::NoCurrentContext => "give one with --context".to_owned(),
            _ => return None,
        })
    }
}

/// A field of a kubeconfig, or the variable or file that stands in for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub(crate) name: &'static str,
    pub(crate) owner: Owner,
}

/// The part of the configuration that a field belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A cluster of a kubeconfig, by name.
    Cluster(String),
    /// A user of a kubeconfig, by name.
    User(String),
    /// A variable of the environment.
    Environment,
    /// A file of a Pod's service account.
    ServiceAccount,
}

impl Field {
    /// The error that says what is wrong with the value of this field.
    pub(crate) fn error(self, source: ValueError) -> RouteError {
        RouteError::Value { field: self, source }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match &self.owner {
            Owner::Cluster(cluster) => write!(f, "{name} of cluster {cluster}"),
            Owner::User(user) => write!(f, "{name} of user {user}"),
            Owner::Environment => f.write_str(name),
            Owner::ServiceAccount => write!(f, "{name} of the Pod's service account"),
        }
    }
}

/// What is wrong with a value.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// The value names a file that can't be read.
    #[error("{} can't be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The value should be base64 and isn't.
    #[error("it isn't base64")]
    NotBase64,
    /// The value is PEM without a certificate.
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    /// The value is labelled as a certificate and isn't one.
    #[error("it holds something else than an X.509 certificate")]
    NotCertificate,
    /// The value is PEM without a private key.
    #[error("it holds no private key in PEM")]
    NoKey,
    /// The key is of a kind that TLS can't use, or belongs to another certificate.
    #[error("it isn't the private key of client-certificate")]
    OtherKey,
    /// The value is missing, and its counterpart of this name is there.
    #[error("it is missing, and {0} isn't")]
    Lone(&'static str),
    /// The value contradicts another one, of this name.
    #[error("{0} is given, too")]
    Contradicts(&'static str),
    /// The value isn't a URL of http or https with a host.
    #[error("it isn't a URL of http or https")]
    NotUrl,
    /// The value is a host without `https://` in front of it.
    #[error("it has no scheme")]
    NoScheme,
    /// The value is a URL with a user name.
    #[error("it is a URL with a user name")]
    NamesUser,
    /// The proxy speaks a protocol that isn't supported.
    #[error("it isn't a proxy of http, https or socks5")]
    ProxyScheme,
    /// The SOCKS proxy needs a login, which isn't supported.
    #[error("a user name for a SOCKS proxy isn't supported")]
    SocksUser,
    /// The value isn't the name of a host.
    #[error("it isn't the name of a host")]
    NotName,
    /// The token or name would end the HTTP header that carries it.
    #[error("it holds a line break, or another character that no HTTP header may hold")]
    NotHeader,
    /// The value is empty, or only blanks.
    #[error("it is empty")]
    Empty,
}

/// A login program gave no credentials.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The kubeconfig names no program.
    #[error("command is missing")]
    NoCommand,
    /// The kubeconfig asks for a version of the protocol that isn't supported.
    #[error("apiVersion isn't client.authentication.k8s.io/v1 or v1beta1")]
    Version,
    /// The program must ask a person, and standard input isn't a terminal.
    #[error("interactiveMode is Always, and standard input isn't a terminal")]
    NoTerminal,
    /// The program can't be started.
    #[error("it can't be started")]
    Start {
        /// The kubeconfig's hint on how to install the program.
        install_hint: Option<String>,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The program failed with this exit code; it wrote its reason to standard error.
    #[error("exit code {0}")]
    Exit(i32),
    /// A signal ended the program.
    #[error("it was killed")]
    Killed,
    /// The program printed something else than an `ExecCredential`.
    #[error("it printed no ExecCredential of the apiVersion that was asked for")]
    NotCredential,
    /// The program printed an `ExecCredential` without credentials.
    #[error("it printed neither a token nor a certificate with its key")]
    Nothing,
    /// The program's token can't be sent.
    #[error("its token can't be sent")]
    Token(#[source] ValueError),
    /// The program's certificate or key, named here, can't be used.
    #[error("its {0} can't be used")]
    Identity(&'static str, #[source] ValueError),
}
