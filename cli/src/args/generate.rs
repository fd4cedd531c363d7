//! `--generate ITEM=LENGTH[:ALPHABET]`: a value that a program makes up.
//!
//! Invariant: no error repeats the argument, since a value may stand in it by mistake.

use std::str::FromStr;

use rand_core::{OsRng, RngCore as _};
use seal_crds::{ItemName, Plaintext};
use zeroize::Zeroizing;

/// The fewest characters of a value: 16 of the smallest alphabet, digits, are 53 bits.
const SHORTEST: usize = 16;
/// The most characters of a value.
const LONGEST: usize = 4096;

/// An item whose value is to be made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generate {
    pub(crate) item: ItemName,
    length: usize,
    alphabet: Alphabet,
}

/// The characters of a made-up value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alphabet {
    /// `A` to `Z`, `a` to `z`, `0` to `9`: what every shell, URL and configuration file takes as it is.
    Alnum,
    Letters,
    Digits,
    /// `0` to `9`, `a` to `f`.
    Hex,
    /// That of RFC 4648 §5.
    Base64url,
    /// Every printable character of ASCII but the space.
    Ascii,
}

/// The reason why an argument of `--generate` can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GenerateError {
    #[error("this isn't ITEM=LENGTH or ITEM=LENGTH:ALPHABET, such as password=32:alnum")]
    Form,
    #[error("the item {0}")]
    Item(&'static str),
    #[error("the length is a number from {SHORTEST} to {LONGEST}")]
    Length,
    #[error("the alphabet is one of {}", Alphabet::list())]
    Alphabet,
}

impl FromStr for Generate {
    type Err = GenerateError;

    fn from_str(text: &str) -> Result<Self, GenerateError> {
        let (item, rest) = text.split_once('=').ok_or(GenerateError::Form)?;
        let (length, alphabet) = rest.split_once(':').unwrap_or((rest, "alnum"));
        let item = item.parse::<ItemName>().map_err(|error| GenerateError::Item(error.rule))?;
        let length = length.parse().ok().filter(|length| (SHORTEST..=LONGEST).contains(length));
        let alphabet = Alphabet::ALL.into_iter().find(|(name, _)| *name == alphabet);
        Ok(Self {
            item,
            length: length.ok_or(GenerateError::Length)?,
            alphabet: alphabet.ok_or(GenerateError::Alphabet)?.1,
        })
    }
}

impl Generate {
    /// A fresh value, every character as likely as any other.
    pub(crate) fn value(&self) -> Plaintext {
        let characters = self.alphabet.characters();
        // Bytes from here on would make the first characters of the alphabet likelier than the others.
        let limit = 256 / characters.len() * characters.len();
        let mut value = Zeroizing::new(Vec::with_capacity(self.length));
        let mut drawn = Zeroizing::new([0]);
        while value.len() < self.length {
            OsRng.fill_bytes(&mut *drawn);
            let byte = usize::from(drawn[0]);
            if byte < limit {
                value.push(characters[byte % characters.len()]);
            }
        }
        Plaintext::from(value)
    }
}

impl Alphabet {
    const ALL: [(&'static str, Self); 6] = [
        ("alnum", Self::Alnum),
        ("letters", Self::Letters),
        ("digits", Self::Digits),
        ("hex", Self::Hex),
        ("base64url", Self::Base64url),
        ("ascii", Self::Ascii),
    ];

    fn list() -> String {
        Self::ALL.map(|(name, _)| name).join(", ")
    }

    fn characters(self) -> Vec<u8> {
        let is_in = |c: &u8| match self {
            Self::Alnum => c.is_ascii_alphanumeric(),
            Self::Letters => c.is_ascii_alphabetic(),
            Self::Digits => c.is_ascii_digit(),
            Self::Hex => c.is_ascii_digit() || (b'a'..=b'f').contains(c),
            Self::Base64url => c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'),
            Self::Ascii => c.is_ascii_graphic(),
        };
        (0..128).filter(is_in).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_its_length_and_the_whole_alphabet() {
        for (name, size) in
            [("alnum", 62), ("letters", 52), ("digits", 10), ("hex", 16), ("base64url", 64), ("ascii", 94)]
        {
            let generate: Generate = format!("p=4096:{name}").parse().unwrap();
            let value = generate.value();
            let seen: std::collections::BTreeSet<u8> = value.expose().iter().copied().collect();
            // One character of 94 is missing in 4,096 draws with a chance of 1 in 10^17.
            assert_eq!((value.len(), seen.len()), (4096, size), "{name}");
            assert_eq!(seen.into_iter().collect::<Vec<_>>(), generate.alphabet.characters(), "{name}");
        }
        let default: Generate = "p=32".parse().unwrap();
        assert_eq!(default.alphabet, Alphabet::Alnum);
        assert_ne!(default.value().expose(), default.value().expose());
    }

    #[test]
    fn an_argument_that_is_none_is_refused_and_not_repeated() {
        for text in ["hunter2", "p=hunter2", "p=4", "p=99999", "p=32:hunter2", "hunter2!=32", "=32", "p="] {
            let error = text.parse::<Generate>().unwrap_err();
            assert!(!error.to_string().contains("hunter"), "{error}");
        }
    }
}
