//! What a contender asked of the API server, from its audit log.
//!
//! Invariant: a request counts once, when it is answered; watches and the Lease don't count.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

/// The beginning of the log, from which on requests are counted.
pub(crate) struct Mark {
    log: PathBuf,
}

/// Numbers of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) reads: usize,
    pub(crate) writes: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'t> {
    #[serde(borrow)]
    user: User<'t>,
    #[serde(default)]
    user_agent: String,
    verb: &'t str,
    #[serde(default)]
    object_ref: Option<Reference>,
    stage: &'t str,
}

#[derive(Deserialize)]
struct User<'t> {
    username: &'t str,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    resource: String,
}

impl Mark {
    /// From now on. What came before is dropped: the log is in memory, and a run writes some gigabytes.
    ///
    /// # Panics
    /// When there is no log.
    pub(crate) fn now(log: &Path) -> Self {
        // The API server appends, so what comes next is at the beginning.
        File::options().write(true).open(log).and_then(|file| file.set_len(0)).expect("the log can be cut");
        Self { log: log.to_owned() }
    }

    /// The requests since then, of clients with this name or user agent.
    ///
    /// # Panics
    /// When the log can't be read.
    pub(crate) fn requests(&self, is_of: impl Fn(&str, &str) -> bool) -> Requests {
        // An answer may overtake its own line.
        thread::sleep(Duration::from_millis(200));
        let text = fs::read_to_string(&self.log).expect("the log is text");
        assert!(text.starts_with('{'), "the API server doesn't append to its log");
        count(&text, is_of)
    }
}

fn count(log: &str, is_of: impl Fn(&str, &str) -> bool) -> Requests {
    let mut requests = Requests::default();
    for entry in log.lines().filter_map(|line| serde_json::from_str::<Entry<'_>>(line).ok()) {
        let resource = entry.object_ref.map(|it| it.resource).unwrap_or_default();
        if entry.stage != "ResponseComplete"
            || resource == "leases"
            || !is_of(entry.user.username, &entry.user_agent)
        {
            continue;
        }
        match entry.verb {
            "watch" => {}
            "get" | "list" => requests.reads += 1,
            _ => requests.writes += 1,
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_one_client_are_counted_without_watches_and_leases() {
        let line = |user: &str, verb: &str, resource: &str| {
            format!(
                r#"{{"user":{{"username":"{user}"}},"userAgent":"x/\"1","verb":"{verb}","objectRef":{{"resource":"{resource}"}},"stage":"ResponseComplete"}}"#
            )
        };
        let log = [
            line("us", "create", "secrets"),
            line("us", "list", "secrets"),
            line("us", "watch", "secrets"),
            line("us", "update", "leases"),
            line("them", "create", "secrets"),
            line("us", "patch", "sealedsecrets").replace("Complete", "Started"),
            "half a li".to_owned(),
        ];
        let found = count(&log.join("\n"), |user, agent| user == "us" && agent == "x/\"1");
        assert_eq!(found, Requests { reads: 1, writes: 1 });
    }
}
