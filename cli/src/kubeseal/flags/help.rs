//! The text of `kubeseal --help`: the flags in pflag's layout, with explanations of our own.
//!
//! Invariant: every flag but the deprecated one is listed, and each line is kubeseal's up to the explanation.

use super::table::FLAGS;

/// The whole text, with the name that the program was called by.
pub(in crate::kubeseal) fn help(program: &str) -> String {
    format!(
        "{}\n\
         Seals Secrets for Bitnami's sealed-secrets, and for seal-controller, with kubeseal's flags and output.\n\
         \n\
         Every flag can be set in the environment as well: --controller-name is SEALED_SECRETS_CONTROLLER_NAME.\n\
         It ends with 0 if it did what was asked, with 1 if it couldn't, and with 2 where a flag is wrong.\n\n{}",
        title(program),
        list()
    )
}

/// The line above the flags.
pub(in crate::kubeseal) fn title(program: &str) -> String {
    format!("Usage of {program}:")
}

/// A line for each flag.
pub(in crate::kubeseal) fn list() -> String {
    let listed = || FLAGS.iter().filter(|flag| !flag.about.is_empty());
    let left = |flag: &super::Flag| {
        let short = flag.short.map_or_else(|| "   ".to_owned(), |letter| format!("-{letter},"));
        let word = flag.kind.word();
        let gap = if word.is_empty() { "" } else { " " };
        format!("  {short} --{}{gap}{word}", flag.name)
    };
    let width = listed().map(|flag| left(flag).len()).max().unwrap_or_default();
    listed().map(|flag| format!("{:width$}   {}\n", left(flag), flag.about)).collect()
}
