//! All flags of the peer: its own, kubectl's usual ones, and klog's.
//!
//! Not their meaning. Invariant: sorted by name, each name once; the differential tests compare them with what the
//! real kubeseal's `--help` lists.

use super::parse_bool;

/// What values a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kubeseal) enum Kind {
    Bool,
    Text,
    /// Repeatable, and several with commas.
    Texts,
    /// Repeatable.
    TextArray,
    Scope,
    /// A whole number.
    Number,
    /// A level of klog's: a number or a word.
    Severity,
    /// `pattern=N,…`.
    Modules,
    /// `file:N`.
    Trace,
}

impl Kind {
    /// The word for it in the help.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Bool => "",
            Self::Text | Self::Scope => "string",
            Self::Texts => "strings",
            Self::TextArray => "stringArray",
            Self::Number => "number",
            Self::Severity => "severity",
            Self::Modules => "moduleSpec",
            Self::Trace => "traceLocation",
        }
    }

    pub(super) fn check(self, value: &str) -> Result<(), &'static str> {
        let is_number = |text: &str| text.parse::<i64>().is_ok();
        match self {
            Self::Bool if parse_bool(value).is_none() => Err("must be true or false"),
            Self::Scope if !matches!(value, "" | "strict" | "namespace-wide" | "cluster-wide") => {
                Err("must be one of: strict, namespace-wide, cluster-wide")
            }
            Self::Number if !is_number(value) => Err("must be a number"),
            Self::Severity => {
                let is_word = ["INFO", "WARNING", "ERROR", "FATAL"].contains(&value.to_uppercase().as_str());
                if is_word || is_number(value) { Ok(()) } else { Err("must be a number or a severity") }
            }
            Self::Modules => {
                let is_part = |part: &str| {
                    part.split_once('=').is_some_and(|(name, level)| !name.is_empty() && is_number(level))
                };
                let mut parts = value.split(',').filter(|part| !part.is_empty());
                if parts.all(is_part) { Ok(()) } else { Err("must be a list of pattern=N") }
            }
            Self::Trace => {
                let is_place =
                    value.split_once(':').is_some_and(|(file, line)| file.contains('.') && is_number(line));
                if value.is_empty() || is_place { Ok(()) } else { Err("must be file.go:N") }
            }
            _ => Ok(()),
        }
    }
}

/// One flag.
pub(in crate::kubeseal) struct Flag {
    pub(super) name: &'static str,
    pub(super) short: Option<char>,
    pub(super) kind: Kind,
    /// Its line in the help; none keeps it out of there.
    pub(super) about: &'static str,
    /// Of the logging library: taken for the sake of scripts, and without any effect.
    pub(super) is_klog: bool,
}

const fn flag(name: &'static str, kind: Kind, about: &'static str) -> Flag {
    Flag { name, short: None, kind, about, is_klog: false }
}

const fn short(name: &'static str, letter: char, kind: Kind, about: &'static str) -> Flag {
    Flag { name, short: Some(letter), kind, about, is_klog: false }
}

const fn klog(name: &'static str, kind: Kind) -> Flag {
    Flag { name, short: None, kind, about: "no effect: nothing is logged", is_klog: true }
}

/// Every flag there is.
pub(super) static FLAGS: [Flag; 55] = [
    klog("add_dir_header", Kind::Bool),
    flag("allow-empty-data", Kind::Bool, "seal a Secret that has no items, too"),
    klog("alsologtostderr", Kind::Bool),
    klog("alsologtostderrthreshold", Kind::Severity),
    flag("as", Kind::Text, "ask the cluster as this user"),
    flag("as-group", Kind::TextArray, "ask the cluster as a member of this group. Repeatable"),
    flag("as-uid", Kind::Text, "ask the cluster as the user of this UID"),
    flag("cert", Kind::Text, "the certificate to seal to: a file, or a URL of http, https or file"),
    flag(
        "certificate-authority",
        Kind::Text,
        "a file with the certificate that the API server's is signed by",
    ),
    flag("client-certificate", Kind::Text, "a file with the certificate to log in with"),
    flag("client-key", Kind::Text, "a file with that certificate's key"),
    flag("cluster", Kind::Text, "the kubeconfig's cluster to ask"),
    flag("context", Kind::Text, "the kubeconfig's context to use"),
    flag("controller-name", Kind::Text, "the controller's Service (default \"sealed-secrets-controller\")"),
    flag("controller-namespace", Kind::Text, "the namespace it is in (default \"kube-system\")"),
    flag("disable-compression", Kind::Bool, "no effect: answers are never compressed"),
    flag("fetch-cert", Kind::Bool, "print the certificate, for --cert"),
    short("format", 'o', Kind::Text, "json or yaml (default \"json\")"),
    flag(
        "from-file",
        Kind::Texts,
        "with --raw, the file that holds the value; /dev/stdin reads standard input",
    ),
    flag("help", Kind::Bool, "print this"),
    flag("insecure-skip-tls-verify", Kind::Bool, "believe whoever answers as the API server"),
    flag("kubeconfig", Kind::Text, "the kubeconfig, if not $KUBECONFIG or ~/.kube/config"),
    klog("legacy_stderr_threshold_behavior", Kind::Bool),
    klog("log_backtrace_at", Kind::Trace),
    klog("log_dir", Kind::Text),
    klog("log_file", Kind::Text),
    klog("log_file_max_size", Kind::Number),
    klog("logtostderr", Kind::Bool),
    flag(
        "merge-into",
        Kind::Text,
        "put the items into this SealedSecret's file instead of printing a new one",
    ),
    flag("name", Kind::Text, "the Secret's name; with --raw and the scope strict there has to be one"),
    short("namespace", 'n', Kind::Text, "the Secret's namespace, if not that of the kubeconfig's context"),
    klog("one_output", Kind::Bool),
    flag("password", Kind::Text, "the password to log in with; others may see it here"),
    flag("proxy-url", Kind::Text, "the proxy to the API server"),
    flag("raw", Kind::Bool, "seal one value instead of a Secret, and print nothing else"),
    flag("re-encrypt", Kind::Bool, "have the controller seal a SealedSecret again, to its newest key"),
    flag(
        "recovery-private-key",
        Kind::Texts,
        "with --recovery-unseal, files of keys: PEM, or backups of the controller's Secrets. Repeatable",
    ),
    flag("recovery-unseal", Kind::Bool, "open a SealedSecret, and print the Secret"),
    flag("request-timeout", Kind::Text, "how long to wait for an answer: 30s, 2m"),
    flag("rotate", Kind::Bool, ""),
    flag(
        "scope",
        Kind::Scope,
        "what the result is tied to: strict (its namespace and name), namespace-wide, cluster-wide (default \"strict\", \
         or what the Secret's annotations say)",
    ),
    short("sealed-secret-file", 'w', Kind::Text, "write to this file; .yaml and .yml write YAML"),
    short("secret-file", 'f', Kind::Text, "read this file instead of standard input"),
    flag("server", Kind::Text, "the API server's address"),
    klog("skip_headers", Kind::Bool),
    klog("skip_log_headers", Kind::Bool),
    klog("stderrthreshold", Kind::Severity),
    flag("tls-server-name", Kind::Text, "the name that the API server's certificate has to be for"),
    flag("token", Kind::Text, "the token to log in with; others may see it here"),
    flag("user", Kind::Text, "the kubeconfig's user to ask as"),
    flag("username", Kind::Text, "the name to log in with"),
    Flag { short: Some('v'), ..klog("v", Kind::Number) },
    flag("validate", Kind::Bool, "ask the controller whether it can open a SealedSecret"),
    flag("version", Kind::Bool, "print the version"),
    klog("vmodule", Kind::Modules),
];
