//! The bounds of an age file, checked before age reads it: those of an envelope, and of a sealing key's backup.
//!
//! ```text
//! file   = a binary age v1 file (C2SP age), at most 128 KiB
//! header = at most 20 stanzas, none of them scrypt; no armour
//! ```
//!
//! Keys and the native format both stand on this, and it knows neither. Invariant: the time that a check takes grows with
//! the size of the file and with nothing else, and no key is tried before it.

/// The most recipients that an envelope may have.
pub const MAX_RECIPIENTS: usize = 16;

/// The most stanzas that an age header may have: one for each recipient, and some that an implementation adds as
/// grease.
pub const MAX_STANZAS: usize = 20;

/// The most bytes that all age files of an object may have together. A single file may use all of it: the largest
/// envelopes, merged into one, take about 111 kB.
pub const MAX_AGE_SIZE: usize = 128 * 1024;

/// The most lines of an age header: 20 stanzas with bodies of a few lines (a recipient's has one or two,
/// grease up to five). Parsing costs time for every line on every trial.
const MAX_HEADER_LINES: usize = 200;

/// The most bytes of a header line; a post-quantum stanza's first line takes 1,512.
const MAX_HEADER_LINE: usize = 2048;

/// Checks an age file without a key: its first line, that it is binary, and the bounds of its header.
///
/// # Errors
///
/// The problem, as the rest of a sentence about the file.
pub(crate) fn check_header(file: &[u8]) -> Result<(), &'static str> {
    if file.len() > MAX_AGE_SIZE {
        return Err("is larger than 128 KiB");
    }
    if file.starts_with(b"-----BEGIN") {
        return Err("is armoured; only the binary form of an age file is allowed");
    }
    let mut lines = file.split(|&byte| byte == b'\n');
    match lines.next() {
        Some(b"age-encryption.org/v1") => {}
        Some(line) if line.starts_with(b"age-encryption.org/") => {
            return Err("is an age file of a version that this program doesn't know");
        }
        _ => return Err("is not an age file"),
    }
    let mut stanzas = 0;
    for (number, line) in lines.enumerate() {
        if line.starts_with(b"---") {
            return Ok(());
        }
        if number >= MAX_HEADER_LINES || line.len() > MAX_HEADER_LINE {
            return Err("has a header that is longer than recipients need");
        }
        if let Some(stanza) = line.strip_prefix(b"-> ") {
            stanzas += 1;
            // A passphrase is no recipient: an attacker could ask any user for one, and the author of the manifest
            // would choose the cost of every trial.
            if stanza == b"scrypt" || stanza.starts_with(b"scrypt ") {
                return Err("is encrypted to a passphrase; only recipients are allowed");
            }
            if stanzas > MAX_STANZAS {
                return Err("has more than 20 stanzas");
            }
        }
    }
    Err("is cut short")
}

/// The number of recipients that an age file is sealed to: its stanzas without grease. `None` if the file doesn't pass
/// [`check_header`].
///
/// An implementation may add stanzas whose type ends with `-grease`, which no identity opens. Everybody can give a stanza
/// such a type; then it is one that age's own identities don't open either.
pub(crate) fn count_stanzas(file: &[u8]) -> Option<usize> {
    check_header(file).ok()?;
    let header = file.split(|&byte| byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    let types = header.filter_map(|line| line.strip_prefix(b"-> ")?.split(|&byte| byte == b' ').next());
    Some(types.filter(|kind| !kind.ends_with(b"-grease")).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grease_is_no_recipient() {
        let file =
            b"age-encryption.org/v1\n-> X25519 a\nb\n-> x}-grease c\n\n-> ssh-rsa d\ne\n--- mac\n-> f\n";
        assert_eq!(count_stanzas(file), Some(2));
        assert_eq!(count_stanzas(b"hello"), None);
    }

    #[test]
    fn headers_are_bounded_before_any_key_is_tried() {
        let header = |stanza: &str, times: usize| {
            format!("age-encryption.org/v1\n{}--- mac\n", stanza.repeat(times)).into_bytes()
        };
        let sized = |size: usize| {
            let mut file = header("-> X25519 a\nb\n", 20);
            file.resize(size, 0);
            file
        };
        assert_eq!(check_header(&sized(131_072)), Ok(()));
        for (file, problem) in [
            (header("-> X25519 a\nb\n", 21), "has more than 20 stanzas"),
            (header("-> scrypt a 18\nb\n", 1), "is encrypted to a passphrase; only recipients are allowed"),
            (b"-----BEGIN AGE".to_vec(), "is armoured; only the binary form of an age file is allowed"),
            (
                b"age-encryption.org/v2\n".to_vec(),
                "is an age file of a version that this program doesn't know",
            ),
            (b"hello".to_vec(), "is not an age file"),
            (b"age-encryption.org/v1\n-> X25519".to_vec(), "is cut short"),
            (header(&"a".repeat(2049), 1), "has a header that is longer than recipients need"),
            (header("-> a\n\n\n\n\n\n\n\n\n\n\n\n", 20), "has a header that is longer than recipients need"),
            (sized(131_073), "is larger than 128 KiB"),
        ] {
            assert_eq!(check_header(&file), Err(problem));
        }
    }
}
