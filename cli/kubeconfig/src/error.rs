//! Why there is no way to a cluster: which file, which field, and what is wrong with it.
//!
//! Invariant: in fixed words and names. A parser's own text may quote a token, and a URL may hold a password.

use std::{fmt, io, path::PathBuf};

/// Why there is no kubeconfig.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// None is named, and none is in the home directory.
    #[error("there is no kubeconfig")]
    None,
    /// Every file in `KUBECONFIG` is missing.
    #[error("KUBECONFIG names no file that exists: {}", list(.0))]
    Missing(Vec<PathBuf>),
    /// A file can't be read.
    #[error("the kubeconfig {} can't be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// A file that is neither UTF-8 nor UTF-16.
    #[error("the kubeconfig {} isn't text", .0.display())]
    NotText(PathBuf),
    /// A file that isn't YAML, or isn't a kubeconfig.
    #[error("the kubeconfig {} isn't valid{place}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// ` at line 6, column 2`, where it is known.
        place: String,
    },
    /// A file that can't be merged with those before it.
    #[error("the kubeconfig {} has another kind or apiVersion than the files before it", .0.display())]
    OtherKind(PathBuf),
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Why a kubeconfig, or a Pod's service account, leads to no cluster.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The kubeconfig couldn't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No context is chosen.
    #[error("the kubeconfig names no current context")]
    NoCurrentContext,
    /// There is no such context.
    #[error("the kubeconfig has no context {0}")]
    NoContext(String),
    /// The context names a cluster that isn't there.
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
    /// A value that can't be used.
    #[error("{field} can't be used")]
    Value {
        /// Whose.
        field: Field,
        /// Why.
        source: ValueError,
    },
    /// A user with two ways to log in, of which kubectl allows one.
    #[error("user {0} of the kubeconfig has both a token and a user name; only one is allowed")]
    TwoLogins(String),
    /// A login that needs code which isn't here.
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
        /// What is run.
        command: String,
        /// Why.
        source: PluginError,
    },
    /// The operating system's authorities can't be loaded.
    #[error("this system's trusted authorities can't be loaded")]
    SystemRoots,
    /// The program is ending.
    #[error("the login was interrupted")]
    Interrupted,
    /// Everything else that kube may say when a client is made.
    #[error("the kubeconfig doesn't make a client")]
    Client,
}

impl RouteError {
    /// What to try.
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

/// A field of a kubeconfig, or what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub(crate) name: &'static str,
    pub(crate) owner: Owner,
}

/// Whose field it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A cluster of a kubeconfig, by name.
    Cluster(String),
    /// A user of a kubeconfig, by name.
    User(String),
    /// A variable of the environment.
    Environment,
    /// A file of the service account of a Pod.
    ServiceAccount,
}

impl Field {
    /// The error that a value of this field is.
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
    /// It names a file that can't be read.
    #[error("{} can't be read", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// It is said to be base64.
    #[error("it isn't base64")]
    NotBase64,
    /// PEM without a certificate.
    #[error("it holds no certificate in PEM")]
    NoCertificate,
    /// A certificate that isn't one.
    #[error("it holds something else than an X.509 certificate")]
    NotCertificate,
    /// PEM without a private key.
    #[error("it holds no private key in PEM")]
    NoKey,
    /// A key of a kind that TLS can't use, or of another certificate.
    #[error("it isn't the private key of client-certificate")]
    OtherKey,
    /// One of a pair without the other.
    #[error("it is missing, and {0} isn't")]
    Lone(&'static str),
    /// One of two values that can't both be meant.
    #[error("{0} is given, too")]
    Contradicts(&'static str),
    /// Not a URL of http or https with a host.
    #[error("it isn't a URL of http or https")]
    NotUrl,
    /// A host without `https://` in front of it.
    #[error("it has no scheme")]
    NoScheme,
    /// A URL with a user name.
    #[error("it is a URL with a user name")]
    NamesUser,
    /// A proxy that we can't speak to.
    #[error("it isn't a proxy of http, https or socks5")]
    ProxyScheme,
    /// A SOCKS proxy that asks for a login.
    #[error("a user name for a SOCKS proxy isn't supported")]
    SocksUser,
    /// Not the name of a host.
    #[error("it isn't the name of a host")]
    NotName,
    /// A token or name that would end the header it is in.
    #[error("it holds a line break, or another character that no HTTP header may hold")]
    NotHeader,
    /// Nothing, or only blanks.
    #[error("it is empty")]
    Empty,
}

/// Why a login program gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The kubeconfig names no program.
    #[error("command is missing")]
    NoCommand,
    /// The kubeconfig asks for a protocol that isn't spoken.
    #[error("apiVersion isn't client.authentication.k8s.io/v1 or v1beta1")]
    Version,
    /// It must ask somebody, and nobody is there.
    #[error("interactiveMode is Always, and standard input isn't a terminal")]
    NoTerminal,
    /// It can't be run.
    #[error("it can't be started")]
    Start {
        /// What the kubeconfig says about getting the program.
        install_hint: Option<String>,
        /// The system's words.
        source: io::Error,
    },
    /// It failed, with what it wrote to standard error.
    #[error("exit code {0}")]
    Exit(i32),
    /// A signal ended it.
    #[error("it was killed")]
    Killed,
    /// It printed something else.
    #[error("it printed no ExecCredential of the apiVersion that was asked for")]
    NotCredential,
    /// It printed an empty one.
    #[error("it printed neither a token nor a certificate with its key")]
    Nothing,
    /// A token that can't be sent.
    #[error("its token can't be sent")]
    Token(#[source] ValueError),
    /// A certificate or key that can't be used.
    #[error("its {0} can't be used")]
    Identity(&'static str, #[source] ValueError),
}
