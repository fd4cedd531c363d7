//! The lines that make git use seal: for `.gitattributes`, which is committed, and for the configuration of each clone.
//!
//! Git never takes a command from a file that is committed, so both are needed. They stand here alone; `seal git config`
//! prints them, and whoever installs hooks writes them. Invariant: where seal isn't installed, is too old or crashes, git
//! merges and shows the files as text, and no side of a merge is lost. With a driver that can't be started, git leaves our
//! side without markers, and `git add` would lose the other. No name of a file is taken for an option: the threat is a file
//! called `-ikeys/x.yaml`, which would become an identity, or `--x.yaml`, which would turn the driver off.

/// The name of the merge driver and of the diff driver.
pub(crate) const DRIVER: &str = "seal";

/// The lines for `.gitattributes`.
pub(crate) const ATTRIBUTES: &str = "\
*.yaml diff=seal merge=seal
*.yml  diff=seal merge=seal
*.json diff=seal merge=seal
";

/// A setting of git's configuration.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: &'static str,
    /// The values that earlier versions wrote. A value that is changed here moves into this list, and then whoever has it in a
    /// clone is told, and gets the new one; any other value is somebody's own.
    pub(crate) earlier: &'static [&'static str],
}

/// The settings. Git gives a driver to `sh`, which is why it may be more than one command.
///
/// The merge driver ends with 0 or 1 if it merged. Every other exit code means that it couldn't: 127 without seal, 2 with
/// a seal that has no such command, 3 after a failure. Then git's own merge does it.
pub(crate) const SETTINGS: [Setting; 3] = [
    Setting { name: "merge.seal.name", value: "SealedSecrets item by item", earlier: &[] },
    Setting {
        name: "merge.seal.driver",
        value: "{ command -v seal >/dev/null 2>&1 && { seal git merge -- %O %A %B %L %P %S %X %Y; code=$?; \
                test $code -le 1 && exit $code; }; git merge-file --marker-size=%L -L ours -L base -L theirs %A %O %B; }",
        // Takes a file called -iX for an option.
        earlier: &[
            "{ command -v seal >/dev/null 2>&1 && { seal git merge %O %A %B %L %P %S %X %Y; code=$?; \
                    test $code -le 1 && exit $code; }; git merge-file --marker-size=%L -L ours -L base -L theirs %A %O %B; }",
        ],
    },
    Setting {
        name: "diff.seal.textconv",
        value: "f() { command -v seal >/dev/null 2>&1 && seal git textconv -- \"$1\" || cat -- \"$1\"; }; f",
        earlier: &["f() { command -v seal >/dev/null 2>&1 && seal git textconv \"$1\" || cat \"$1\"; }; f"],
    },
];

/// The settings as they stand in a file of git's configuration.
pub(crate) fn config() -> String {
    let mut text = String::new();
    let mut section = "";
    for Setting { name, value, .. } in &SETTINGS {
        let (group, key) = name.rsplit_once('.').unwrap_or((name, ""));
        if group != section {
            section = group;
            text += &format!("[{} \"{DRIVER}\"]\n", group.split('.').next().unwrap_or(group));
        }
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        text += &format!("\t{key} = \"{value}\"\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    #[test]
    fn git_reads_every_setting_as_it_is_meant() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config");
        fs::write(&file, config()).unwrap();
        for Setting { name, value, .. } in SETTINGS {
            let output =
                Command::new("git").args(["config", "--file"]).arg(&file).arg(name).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap().trim_end(), value);
        }
    }

    #[test]
    fn no_value_of_now_is_one_of_earlier() {
        for Setting { name, value, earlier } in SETTINGS {
            assert!(!earlier.contains(&value), "{name}");
        }
    }

    #[test]
    fn every_attribute_has_its_configuration() {
        for line in ATTRIBUTES.lines() {
            for (attribute, setting) in
                [("diff=seal", "diff.seal.textconv"), ("merge=seal", "merge.seal.driver")]
            {
                assert!(line.contains(attribute) && SETTINGS.iter().any(|other| other.name == setting));
            }
        }
    }
}
