//! All flags of the peer: its own, kubectl's usual ones, and klog's.
//!
//! Not their meaning. Invariant: sorted by name, each name once; the differential tests compare them with what the
//! real kubeseal's `--help` lists.

use std::num::{IntErrorKind, ParseIntError};

use seal_crds::Scope;

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
    /// A whole number, with a sign.
    Level,
    /// A whole number of bytes or so, in Go's notations.
    Size,
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
            Self::Level => "Level",
            Self::Size => "uint",
            Self::Severity => "severity",
            Self::Modules => "moduleSpec",
            Self::Trace => "traceLocation",
        }
    }

    /// Whether the flag takes this value; if not, why, in the peer's words.
    pub(super) fn check(self, value: &str) -> Result<(), String> {
        match self {
            Self::Bool if parse_bool(value).is_none() => {
                Err(format!("strconv.ParseBool: parsing {value:?}: invalid syntax"))
            }
            Self::Scope if !value.is_empty() && value.parse::<Scope>().is_err() => {
                Err(format!("must be one of: {}", Scope::list()))
            }
            Self::Level => level(value).map(|_| ()),
            Self::Size => size(value),
            Self::Severity => {
                let is_word = ["INFO", "WARNING", "ERROR", "FATAL"].contains(&value.to_uppercase().as_str());
                if is_word { Ok(()) } else { level(value).map(|_| ()) }
            }
            Self::Modules => value.split(',').filter(|part| !part.is_empty()).try_for_each(module),
            Self::Trace if value.is_empty() => Ok(()),
            Self::Trace => trace(value),
            _ => Ok(()),
        }
    }
}

/// A number of 32 bits, as Go's `strconv.ParseInt` reads it.
fn level(value: &str) -> Result<i32, String> {
    value.parse().map_err(|error: ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.ParseInt: parsing {value:?}: {why}")
    })
}

/// A number of 64 bits without a sign, decimal or behind `0x`, `0o`, `0b` or `0`.
fn size(value: &str) -> Result<(), String> {
    let lower = value.to_ascii_lowercase();
    let (digits, radix) = match lower.as_bytes() {
        [b'0', b'x', ..] => (&lower[2..], 16),
        [b'0', b'o', ..] => (&lower[2..], 8),
        [b'0', b'b', ..] => (&lower[2..], 2),
        [b'0', _, ..] => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    let error = match u64::from_str_radix(digits, radix) {
        Ok(_) if !digits.starts_with('+') => return Ok(()),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => "value out of range",
        _ => "parse error",
    };
    Err(error.to_owned())
}

/// `pattern=N`
fn module(part: &str) -> Result<(), String> {
    let syntax = || "syntax error: expect comma-separated list of filename=N".to_owned();
    let (name, found) = part.split_once('=').ok_or_else(syntax)?;
    match level(found) {
        Ok(found) if found < 0 => Err("negative value for vmodule level".to_owned()),
        Ok(_) if !name.is_empty() => Ok(()),
        _ => Err(syntax()),
    }
}

/// `file.go:N`
fn trace(value: &str) -> Result<(), String> {
    let syntax = || "syntax error: expect file.go:234".to_owned();
    let (_, line) = value.split_once(':').filter(|(file, _)| file.contains('.')).ok_or_else(syntax)?;
    match line.parse::<i64>() {
        Ok(line) if line <= 0 => Err("negative or zero value for level".to_owned()),
        Ok(_) => Ok(()),
        Err(_) => Err(syntax()),
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
    klog("log_file_max_size", Kind::Size),
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
    Flag { short: Some('v'), ..klog("v", Kind::Level) },
    flag("validate", Kind::Bool, "ask the controller whether it can open a SealedSecret"),
    flag("version", Kind::Bool, "print the version"),
    klog("vmodule", Kind::Modules),
];
