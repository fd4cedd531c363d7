//! Joins the results of several files into one stream.

use seal_documents::yaml::Syntax;

/// The files one after another, with a document separator wherever YAML needs one. A single file stays as it
/// is.
pub(super) fn join<'a>(files: impl IntoIterator<Item = (&'a str, Syntax)>) -> String {
    let files: Vec<_> = files.into_iter().collect();
    let is_yaml = files.iter().any(|(_, syntax)| *syntax == Syntax::Yaml);
    let mut out = String::new();
    let mut before = None;
    for (text, syntax) in files {
        let separated;
        let text = if is_yaml && syntax == Syntax::Json {
            separated = separate(text);
            &separated
        } else {
            text
        };
        let text = if before.is_some() { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        if before.is_some() && !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        match before {
            // JSON documents need no separator between them.
            None | Some(Syntax::Json) if before.is_none() || syntax == Syntax::Json => {}
            // YAML allows a directive only after the end mark of a document.
            Some(_) if text.starts_with('%') => out.push_str("...\n"),
            Some(_) if text.starts_with("---") => {}
            _ => out.push_str("---\n"),
        }
        out.push_str(text);
        before = Some(syntax);
    }
    out
}

/// Puts a separator between JSON documents, so that they can stand in a YAML stream.
fn separate(text: &str) -> String {
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let (mut out, mut from) = (String::new(), 0);
    while let Some(Ok(_)) = documents.next() {
        let to = documents.byte_offset();
        if from > 0 {
            out.push_str("\n---\n");
        }
        out.push_str(text[from..to].trim_start());
        from = to;
    }
    out.push_str(&text[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(files: &[&str]) -> String {
        let syntax = |text: &str| {
            if text.starts_with('{') { Syntax::Json } else { Syntax::Yaml }
        };
        join(files.iter().map(|text| (*text, syntax(text))))
    }

    #[test]
    fn documents_of_different_files_stay_apart() {
        assert_eq!(joined(&["a: 1"]), "a: 1");
        assert_eq!(joined(&["a: 1", "b: 2\n"]), "a: 1\n---\nb: 2\n");
        assert_eq!(
            joined(&["a: 1\n", "---\nb: 2\n", "%YAML 1.1\n---\nc: 3\n"]),
            "a: 1\n---\nb: 2\n...\n%YAML 1.1\n---\nc: 3\n"
        );
        assert_eq!(joined(&["{}", "{}\n"]), "{}\n{}\n");
        assert_eq!(joined(&["{}", "a: 1\n", "{}"]), "{}\n---\na: 1\n---\n{}");
        assert_eq!(joined(&["a: 1\n", "{}{}\n{}\n"]), "a: 1\n---\n{}\n---\n{}\n---\n{}\n");
    }
}
