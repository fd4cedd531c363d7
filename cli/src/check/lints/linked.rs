//! A SealedSecret that a symbolic link shows elsewhere, against the rule for its path there.
//!
//! The threat is a pull request that puts a link in the place of a manifest: what it leads to follows the rules of its own
//! path, and kubectl and kustomize apply it where the link stands. Invariant: a link to a directory of thousands of files
//! makes one finding of a lint, not thousands.

use std::collections::BTreeMap;

use seal_foreign::word;

use super::{Sealed, recipients, ruled};
use crate::check::context::Context;
use crate::check::finding::Finding;
use crate::check::lint::{Lint, Severity};
use crate::rules::file::To;

/// The findings of all that links show.
pub(super) fn against_rules(context: &Context<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, Lint), (Finding, usize)> = BTreeMap::new();
    for linked in &context.linked {
        let Some(file) = context.file(&linked.file) else { continue };
        let is_alone = file.outlines.len() == 1;
        for outline in &file.outlines {
            let object = Sealed { path: &linked.path, outline, is_alone };
            let mut findings = ruled::against_rules(&object, &linked.governing);
            findings.extend(recipients::recipients(&object, &linked.governing));
            // Nothing is applied from where no SealedSecret is allowed, and a link there, such as `latest`, opens nothing.
            let is_nobody =
                linked.governing.ruling(&linked.path).is_some_and(|ruling| ruling.rule().to == To::Nobody);
            for finding in findings {
                let finding = Finding { at: None, ..finding }.with(&linked.link).with(&linked.file);
                let finding = if is_nobody { finding.only(Severity::Warning) } else { finding };
                let (worst, times) =
                    found.entry((&linked.link, finding.lint)).or_insert_with(|| (finding.clone(), 0));
                *times += 1;
                if finding.severity > worst.severity {
                    *worst = finding;
                }
            }
        }
    }
    let told = |((link, _), (finding, times)): ((&str, Lint), (Finding, usize))| {
        let more = if times > 1 { format!(", and {} more like it", times - 1) } else { String::new() };
        let message = format!("{}; {} is a symbolic link{more}", finding.message, word(link));
        let hint = format!("put the file itself here, sealed for this place, in the place of {}", word(link));
        Finding { message, ..finding }.hint(hint)
    };
    found.into_iter().map(told).collect()
}
