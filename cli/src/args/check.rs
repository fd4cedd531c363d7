//! `seal check [PATH…]`

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

#[derive(Args)]
#[command(
    override_usage = "seal check [OPTIONS] [PATH|OLD..NEW]...\n       kustomize build DIR | seal check -\n       seal check --explain [RULE]",
    after_help = "\
Examples:
  seal check                              everything that a commit would have
  seal check --staged                     in a pre-commit hook: what is staged
  seal check --policy origin/main         in a pull request: by the rules of main
  seal check origin/main..HEAD            every file that any of these commits brings in
  kustomize build prod | seal check -     what kustomize makes of it
  seal check --write-baseline             begin with what is there, and find what is new
  seal check --explain copied

A finding is silenced by a comment above the object,
  # seal: allow plaintext -- a fixture of the tests
by ignore in .seal.yaml, or by a line of .seal-baseline. What silences nothing is a finding.

Exit codes: 1 errors (with --strict warnings too), 2 the rules are invalid, 3 it couldn't run."
)]
pub(crate) struct CheckArgs {
    /// Files and directories; without any, the whole repository. The rest of
    /// the repository is still read, to compare with. - is what a tool
    /// rendered, on standard input. OLD..NEW is a range of commits
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Check what is staged, as the index has it, and report on what differs
    /// from HEAD
    #[arg(long)]
    pub(crate) staged: bool,

    /// Judge by the rules, recipients and baseline of this revision, and report
    /// what differs from them
    #[arg(long, value_name = "REV")]
    pub(crate) policy: Option<String>,

    /// Report only what this revision doesn't have
    #[arg(long, value_name = "REV")]
    pub(crate) new_since: Option<String>,

    /// Write what is found to .seal-baseline, and report it no more
    #[arg(long, conflicts_with_all = ["staged", "new_since", "policy", "paths"])]
    pub(crate) write_baseline: bool,

    /// Fail for warnings too
    #[arg(long)]
    pub(crate) strict: bool,

    /// The form of the report
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,

    /// Say what a rule is about and what to do; without RULE, list all
    #[arg(long, value_name = "RULE", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["paths", "staged", "policy", "new_since", "write_baseline", "strict", "format"])]
    pub(crate) explain: Option<String>,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// A line a finding
    Text,
    /// For programs
    Json,
    /// Annotations for GitHub Actions, and the text
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}
