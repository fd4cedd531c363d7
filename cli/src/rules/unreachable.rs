//! Rules that no path can reach.
//!
//! Invariant: a rule is called unreachable only if that is certain: one rule before it, or one nested directory, has every
//! path that it could have. Several together aren't looked at.

use super::file::{At, RulesFile};
use super::pattern::Pattern;

/// A rule that no path reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreachable {
    /// The path of the rule, as it is written.
    pub(crate) path: String,
    pub(crate) at: At,
    /// What has all of its paths, as it is written there.
    pub(crate) behind: String,
    pub(crate) behind_at: At,
}

/// The rules of a file that no path reaches.
pub(crate) fn unreachable(file: &RulesFile) -> Vec<Unreachable> {
    let nested: Vec<(Pattern, At)> =
        file.nested.iter().map(|nested| (Pattern::beneath(&nested.directory), nested.at)).collect();
    let shadow = |index: usize| {
        let rules = file.rules[..index].iter().map(|rule| (&rule.path, rule.at));
        let nested = nested.iter().map(|(path, at)| (path, *at));
        rules.chain(nested).find(|(path, _)| path.covers(&file.rules[index].path))
    };
    let found = file.rules.iter().enumerate().filter_map(|(index, rule)| {
        let (behind, behind_at) = shadow(index)?;
        Some(Unreachable { path: rule.path.to_string(), at: rule.at, behind: behind.to_string(), behind_at })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_behind_a_wider_one_or_in_a_nested_directory_is_never_reached() {
        let text = "version: 1\nnested: [teams/a]\nrecipients: {p: {file: p.pub}}\nrules:\n\
                    - {path: 'prod/**', to: [p]}\n- {path: 'prod/{namespace}/**', to: [p]}\n\
                    - {path: 'teams/a/x/*.yaml', to: [p]}\n- {path: 'teams/**', to: [p]}\n- {path: '**', to: none}\n\
                    - {path: '*', to: [p]}\n";
        let file = RulesFile::parse(".seal.yaml", text).unwrap();
        let found: Vec<_> = unreachable(&file)
            .into_iter()
            .map(|found| {
                format!("{} {} behind {} {}", found.at.line, found.path, found.behind, found.behind_at.line)
            })
            .collect();
        assert_eq!(
            found,
            [
                "6 prod/{namespace}/** behind prod/** 5",
                "7 teams/a/x/*.yaml behind teams/a/** 2",
                "10 * behind ** 9",
            ]
        );
    }
}
