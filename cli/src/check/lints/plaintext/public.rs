//! Values of Secrets that are public: certificates and public keys, and references that a tool replaces by what they name.
//!
//! Invariant: a text with anything else in it, be it one line, is neither.

/// Whether a text is nothing but certificates and public keys in PEM.
pub(super) fn is_public(text: &[u8]) -> bool {
    const KINDS: [&str; 2] = ["CERTIFICATE-----", "PUBLIC KEY-----"];
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let is_kind =
        |line: &str, start: &str| line.strip_prefix(start).is_some_and(|kind| KINDS.contains(&kind));
    let is_body = |line: &str| {
        line.len() <= 76 && line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    let (mut is_inside, mut blocks) = (false, 0);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if is_kind(line, "-----BEGIN ") && !is_inside {
            is_inside = true;
        } else if is_kind(line, "-----END ") && is_inside {
            (is_inside, blocks) = (false, blocks + 1);
        } else if !is_inside || !is_body(line) {
            return false;
        }
    }
    blocks > 0 && !is_inside
}

/// Whether a text is nothing but a reference: argocd-vault-plugin's `<password>` and `<path:secret/data/db#password>`,
/// bank-vaults' `vault:secret/data/db#password`, vals' `ref+vault://secret/db#password`.
pub(super) fn is_reference(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-./#:|@ ".contains(c);
    let is_path = |path: &str| !path.is_empty() && path.chars().all(|c| c != ' ' && c != '|' && is_name(c));
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    let vault = text.strip_prefix("vault:").and_then(|path| path.split_once('#'));
    // `ref+echo://` is its own value.
    let vals =
        text.strip_prefix("ref+").and_then(|text| text.split_once("://")).filter(|(name, _)| *name != "echo");
    inner.is_some_and(|inner| !inner.trim().is_empty() && inner.chars().all(is_name))
        || vault.is_some_and(|(path, key)| path.contains('/') && is_path(path) && is_path(key))
        || vals.is_some_and(|(name, path)| is_path(name) && !path.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_text_is_certificates_and_nothing_else() {
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIB+/==\n-----END CERTIFICATE-----\n";
        assert!(is_public(certificate.as_bytes()) && is_public(certificate.repeat(2).as_bytes()));
        for other in [
            format!("{certificate}hunter2"),
            certificate.replace("MIIB", "my password"),
            certificate.replace("CERTIFICATE", "RSA PRIVATE KEY"),
            "-----BEGIN CERTIFICATE-----\nMIIB".to_owned(),
            String::new(),
        ] {
            assert!(!is_public(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_reference_is_told_from_a_value() {
        for text in [
            "<password>",
            "<path:secret/data/x#p>",
            "<password | base64encode>",
            "vault:secret/data/x#p",
            "ref+vault://secret/x#p",
        ] {
            assert!(is_reference(text.as_bytes()), "{text}");
        }
        for text in
            ["<>", "<pass!word>", "vault:hunter2", "vault:a b/c#d", "ref+echo://hunter2", "x<password>"]
        {
            assert!(!is_reference(text.as_bytes()), "{text}");
        }
    }
}
