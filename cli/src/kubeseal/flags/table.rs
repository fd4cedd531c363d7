//! All flags of kubeseal: its own, kubectl's usual ones, and klog's.
//!
//! [`options`](crate::kubeseal::options) has their meaning. Invariant: the table is sorted by name and has
//! each name once; the differential tests compare it with the real kubeseal's `--help`.

use std::num::{IntErrorKind, ParseIntError};

use seal_crds::Scope;

use super::parse_bool;

/// The kind of values that a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kubeseal) enum FlagKind {
    Bool,
    Text,
    /// Texts: the flag is repeatable, and takes several values with commas between them.
    Texts,
    /// Texts: the flag is repeatable, and takes one value each time.
    TextArray,
    Scope,
    /// A whole number of 32 bits with a sign.
    Level,
    /// A whole number of 64 bits without a sign, in Go's notations.
    Size,
    /// A severity of klog: a number or a word.
    Severity,
    /// Levels of klog for source files: `pattern=N,…`.
    Modules,
    /// A source line for klog: `file:N`.
    Trace,
}

impl FlagKind {
    /// The word for the kind in the help.
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

    /// Checks a value. The error says why the flag doesn't take it, in pflag's words.
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

/// Parses a number of 32 bits as Go's `strconv.ParseInt` does.
fn level(value: &str) -> Result<i32, String> {
    value.parse().map_err(|error: ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        format!("strconv.ParseInt: parsing {value:?}: {why}")
    })
}

/// Checks a number of 64 bits without a sign: decimal, or with the prefix `0x`, `0o`, `0b` or `0`.
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

/// Checks one part `pattern=N`.
fn module(part: &str) -> Result<(), String> {
    let syntax = || "syntax error: expect comma-separated list of filename=N".to_owned();
    let (name, found) = part.split_once('=').ok_or_else(syntax)?;
    match level(found) {
        Ok(found) if found < 0 => Err("negative value for vmodule level".to_owned()),
        Ok(_) if !name.is_empty() => Ok(()),
        _ => Err(syntax()),
    }
}

/// Checks `file.go:N`.
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
    pub(super) kind: FlagKind,
    /// The flag's explanation in the help. A flag with an empty one isn't listed.
    pub(super) about: &'static str,
    /// Whether the flag is the logging library's. Such a flag is taken for the sake of scripts, and has no
    /// effect.
    pub(super) is_klog: bool,
}

const fn flag(name: &'static str, kind: FlagKind, about: &'static str) -> Flag {
    Flag { name, short: None, kind, about, is_klog: false }
}

const fn short(name: &'static str, letter: char, kind: FlagKind, about: &'static str) -> Flag {
    Flag { name, short: Some(letter), kind, about, is_klog: false }
}

const fn klog(name: &'static str, kind: FlagKind) -> Flag {
    Flag { name, short: None, kind, about: "no effect: nothing is logged", is_klog: true }
}

/// All flags, sorted by name.
pub(super) static FLAGS: [Flag; 55] = [
    klog("add_dir_header", FlagKind::Bool),
    flag("allow-empty-data", FlagKind::Bool, "seal a Secret that has no items, too"),
    klog("alsologtostderr", FlagKind::Bool),
    klog("alsologtostderrthreshold", FlagKind::Severity),
    flag("as", FlagKind::Text, "ask the cluster as this user"),
    flag("as-group", FlagKind::TextArray, "ask the cluster as a member of this group. Repeatable"),
    flag("as-uid", FlagKind::Text, "ask the cluster as the user of this UID"),
    flag("cert", FlagKind::Text, "the certificate to seal to: a file, or a URL of http, https or file"),
    flag(
        "certificate-authority",
        FlagKind::Text,
        "a file with the certificate that the API server's is signed by",
    ),
    flag("client-certificate", FlagKind::Text, "a file with the certificate to log in with"),
    flag("client-key", FlagKind::Text, "a file with that certificate's key"),
    flag("cluster", FlagKind::Text, "the kubeconfig's cluster to ask"),
    flag("context", FlagKind::Text, "the kubeconfig's context to use"),
    flag(
        "controller-name",
        FlagKind::Text,
        "the controller's Service (default \"sealed-secrets-controller\")",
    ),
    flag("controller-namespace", FlagKind::Text, "the namespace it is in (default \"kube-system\")"),
    flag("disable-compression", FlagKind::Bool, "no effect: answers are never compressed"),
    flag("fetch-cert", FlagKind::Bool, "print the certificate, for --cert"),
    short("format", 'o', FlagKind::Text, "json or yaml (default \"json\")"),
    flag(
        "from-file",
        FlagKind::Texts,
        "with --raw, the file that holds the value; /dev/stdin reads standard input",
    ),
    flag("help", FlagKind::Bool, "print this"),
    flag("insecure-skip-tls-verify", FlagKind::Bool, "believe whoever answers as the API server"),
    flag("kubeconfig", FlagKind::Text, "the kubeconfig, if not $KUBECONFIG or ~/.kube/config"),
    klog("legacy_stderr_threshold_behavior", FlagKind::Bool),
    klog("log_backtrace_at", FlagKind::Trace),
    klog("log_dir", FlagKind::Text),
    klog("log_file", FlagKind::Text),
    klog("log_file_max_size", FlagKind::Size),
    klog("logtostderr", FlagKind::Bool),
    flag(
        "merge-into",
        FlagKind::Text,
        "put the items into this SealedSecret's file instead of printing a new one",
    ),
    flag("name", FlagKind::Text, "the Secret's name; with --raw and the scope strict there has to be one"),
    short(
        "namespace",
        'n',
        FlagKind::Text,
        "the Secret's namespace, if not that of the kubeconfig's context",
    ),
    klog("one_output", FlagKind::Bool),
    flag("password", FlagKind::Text, "the password to log in with; others may see it here"),
    flag("proxy-url", FlagKind::Text, "the proxy to the API server"),
    flag("raw", FlagKind::Bool, "seal one value instead of a Secret, and print nothing else"),
    flag("re-encrypt", FlagKind::Bool, "have the controller seal a SealedSecret again, to its newest key"),
    flag(
        "recovery-private-key",
        FlagKind::Texts,
        "with --recovery-unseal, files of keys: PEM, or backups of the controller's Secrets. Repeatable",
    ),
    flag("recovery-unseal", FlagKind::Bool, "open a SealedSecret, and print the Secret"),
    flag("request-timeout", FlagKind::Text, "how long to wait for an answer: 30s, 2m"),
    flag("rotate", FlagKind::Bool, ""),
    flag(
        "scope",
        FlagKind::Scope,
        "what the result is tied to: strict (its namespace and name), namespace-wide, cluster-wide (default \"strict\", \
         or what the Secret's annotations say)",
    ),
    short("sealed-secret-file", 'w', FlagKind::Text, "write to this file; .yaml and .yml write YAML"),
    short("secret-file", 'f', FlagKind::Text, "read this file instead of standard input"),
    flag("server", FlagKind::Text, "the API server's address"),
    klog("skip_headers", FlagKind::Bool),
    klog("skip_log_headers", FlagKind::Bool),
    klog("stderrthreshold", FlagKind::Severity),
    flag("tls-server-name", FlagKind::Text, "the name that the API server's certificate has to be for"),
    flag("token", FlagKind::Text, "the token to log in with; others may see it here"),
    flag("user", FlagKind::Text, "the kubeconfig's user to ask as"),
    flag("username", FlagKind::Text, "the name to log in with"),
    Flag { short: Some('v'), ..klog("v", FlagKind::Level) },
    flag("validate", FlagKind::Bool, "ask the controller whether it can open a SealedSecret"),
    flag("version", FlagKind::Bool, "print the version"),
    klog("vmodule", FlagKind::Modules),
];
