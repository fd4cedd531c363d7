//! PEM (RFC 7468) as Go's `encoding/pem` takes it: blocks anywhere in a text, base64 over lines of any length.
//!
//! The callers judge the labels. Invariant: the decoded bytes of a block wipe on drop, since they
//! may be a private key; no copy is left in a buffer that grew.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

/// One block.
pub(in crate::keys) struct Block<'a> {
    /// The text after `BEGIN`.
    pub(in crate::keys) label: &'a str,
    /// The text between the two lines; `None` if the last one is missing.
    body: Option<&'a str>,
}

impl Block<'_> {
    /// The bytes of the block; `None` if they are cut off or aren't base64.
    pub(in crate::keys) fn decode(&self) -> Option<Zeroizing<Vec<u8>>> {
        let body = self.body?;
        let mut compact = Zeroizing::new(Vec::with_capacity(body.len()));
        compact.extend(body.bytes().filter(|byte| !byte.is_ascii_whitespace()));
        let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(compact.len())]);
        let length = BASE64.decode_slice(&compact, &mut bytes).ok()?;
        bytes.truncate(length);
        Some(bytes)
    }

    /// `true` if the block has header lines (RFC 1421). They say only that the block is encrypted, and how.
    pub(in crate::keys) fn has_headers(&self) -> bool {
        self.body.is_some_and(|body| body.contains(':'))
    }
}

/// All blocks of the text, in order.
pub(in crate::keys) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    const BEGIN: &str = "-----BEGIN ";
    const DASHES: &str = "-----";
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = &rest[rest.find(BEGIN)? + BEGIN.len()..];
        let (label, after) = rest.split_once(DASHES)?;
        let body = after.split_once(&format!("{DASHES}END {label}{DASHES}"));
        rest = body.map_or(after, |(_, rest)| rest);
        Some(Block { label, body: body.map(|(body, _)| body) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&str, Option<Vec<u8>>)> {
        blocks(text).map(|block| (block.label, block.decode().map(|bytes| bytes.to_vec()))).collect()
    }

    #[test]
    fn blocks_are_found_in_any_text() {
        let text = "notes\n-----BEGIN A-----\nYWJj\n-----END A-----\r\n\
                    # more\r\n  -----BEGIN B C-----\r\n  YW\r\n  Jj ZGVm  \r\n  -----END B C-----";
        assert_eq!(read(text), [("A", Some(b"abc".to_vec())), ("B C", Some(b"abcdef".to_vec()))]);
        assert!(read("").is_empty() && read("-----BEGIN A").is_empty());
    }

    #[test]
    fn what_is_cut_off_or_not_base64_does_not_decode() {
        for text in [
            "-----BEGIN A-----\nYWJj",
            "-----BEGIN A-----\nYWJj\n-----END B-----",
            "-----BEGIN A-----\nYWJ\n-----END A-----",
            "-----BEGIN A-----\nYW!j\n-----END A-----",
        ] {
            assert_eq!(read(text), [("A", None)], "{text}");
        }
    }

    #[test]
    fn headers_are_seen() {
        let text = "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\nYWJj\n-----END A-----";
        assert!(blocks(text).all(|block| block.has_headers() && block.decode().is_none()));
    }
}
