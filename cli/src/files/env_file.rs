//! Lines `KEY=VALUE`, as `kubectl create secret --from-env-file` reads them.
//!
//! Blank lines and lines that start with `#` are skipped. A value is everything after the first `=`, quotes
//! included. Unlike kubectl, this reader refuses a key without `=`. kubectl takes its value from the
//! environment, which may differ on every machine.

use seal_crds::{ItemName, Plaintext, Reason};

use crate::talk::failure::{Explain, Rule};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvFileError {
    #[error("this line isn't KEY=VALUE")]
    NoValue,
    /// The message doesn't repeat the key, because the line may be a part of a private key.
    #[error("what stands before = isn't a Secret key (a-z, A-Z, 0-9, '-', '_' and '.')")]
    Key,
    #[error("item {0} is there twice")]
    Duplicate(ItemName),
}

impl Explain for EnvFileError {
    fn rule(&self) -> Rule {
        match self {
            Self::NoValue | Self::Duplicate(_) => Rule::Refused(Reason::Malformed),
            Self::Key => Rule::Refused(Reason::InvalidName),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoValue => Some("an empty value is KEY=; values over several lines need --file".to_owned()),
            Self::Key | Self::Duplicate(_) => None,
        }
    }
}

/// One item of the file.
pub(crate) struct EnvItem {
    pub(crate) item: ItemName,
    pub(crate) value: Plaintext,
    /// Whether the value starts and ends with the same quote, which some other tools would remove.
    pub(crate) is_quoted: bool,
}

/// The items of a text, or the first error with the byte offset of its line.
pub(crate) fn parse(text: &str) -> Result<Vec<EnvItem>, (EnvFileError, usize)> {
    let mut items: Vec<EnvItem> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = line.strip_prefix('\u{feff}').filter(|_| start == 0).unwrap_or(line);
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err((EnvFileError::NoValue, start));
        };
        let item: ItemName = key.parse().map_err(|_| (EnvFileError::Key, start))?;
        if items.iter().any(|known| known.item == item) {
            return Err((EnvFileError::Duplicate(item), start));
        }
        let is_quoted =
            ['"', '\''].iter().any(|q| value.len() > 1 && value.starts_with(*q) && value.ends_with(*q));
        items.push(EnvItem { item, value: Plaintext::from(value.as_bytes().to_vec()), is_quoted });
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_stand() {
        let text = "\u{feff}A=1\r\n# no=1\n\n  B = x=y \nC=\nD=\"q\"\n_e.f-g=ü";
        let items =
            parse("A=1\r\n# no=1\n\nC=\nD=\"q\"\n  E==x=y \n_e.f-g=ü").map_err(|(e, _)| e).ok().unwrap();
        let found: Vec<_> = items
            .iter()
            .map(|i| (i.item.as_str(), std::str::from_utf8(i.value.expose()).unwrap(), i.is_quoted))
            .collect();
        assert_eq!(
            found,
            [
                ("A", "1", false),
                ("C", "", false),
                ("D", "\"q\"", true),
                ("E", "=x=y ", false),
                ("_e.f-g", "ü", false)
            ]
        );
        // A space before `=` would be part of the key.
        assert!(matches!(parse(text), Err((EnvFileError::Key, _))));
    }

    #[test]
    fn a_bad_line_is_named_by_its_place_and_never_quoted() {
        let (error, at) = parse("A=1\nhunter2\n").err().unwrap();
        assert_eq!((error.to_string().as_str(), at), ("this line isn't KEY=VALUE", 4));
        assert!(matches!(parse("A=1\nA=2\n"), Err((EnvFileError::Duplicate(_), 4))));
    }
}
