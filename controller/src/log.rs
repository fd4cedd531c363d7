//! Log lines on stderr: which events are logged, and each event as one line.
//!
//! Not the text of the events. Invariant: no log line drives a terminal or looks like an event that never
//! happened, whatever foreign text a field holds.

use std::io::{self, Write};

use seal_foreign::is_unprintable;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::prelude::*;

use crate::args::{LogArgs, LogFormat};

/// Sends our own events and the libraries' errors to stderr, as far as the filter chooses them; no filter
/// shows more of the libraries. At their most verbose, libraries log what they send and receive. kube even
/// warns with the whole body of an answer it can't read, and that body may be a list of private keys.
pub(crate) fn to_stderr(args: &LogArgs) -> Result<(), ParseError> {
    let chosen = EnvFilter::builder().parse(&args.log)?;
    let ours = filter_fn(|metadata| {
        metadata.target().starts_with("seal_controller") || *metadata.level() == tracing::Level::ERROR
    });
    // No colours: with colours the library lets ESC through in some fields.
    let writer = |form| move || Lines { form, out: io::stderr() };
    let (text, json) = match args.log_format {
        LogFormat::Text => (Some(layer().with_ansi(false).with_writer(writer(Form::Text))), None),
        LogFormat::Json => (None, Some(layer().json().flatten_event(true).with_writer(writer(Form::Json)))),
    };
    tracing_subscriber::registry().with(chosen).with(ours).with(text).with(json).init();
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// A writer that escapes events; the library passes one whole event in each call.
struct Lines<W> {
    form: Form,
    out: W,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let mut line = String::with_capacity(text.len());
        for c in text.strip_suffix('\n').unwrap_or(&text).chars() {
            match self.form {
                _ if !is_unprintable(c) => line.push(c),
                Form::Text => line.extend(c.escape_default()),
                Form::Json => {
                    line.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")))
                }
            }
        }
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    const HOSTILE: &str = "a\u{1b}[31m\u{7}\n\u{202e}\u{9b}\u{e0041}\"é";

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The line that is logged for an event with the hostile text as its message, in a field and as the text
    /// of an error.
    fn logged(form: Form) -> String {
        let kept = Kept::default();
        let out = kept.clone();
        let writer = move || Lines { form, out: out.clone() };
        let log = || {
            let error = io::Error::other(HOSTILE);
            tracing::warn!(field = HOSTILE, shown = %HOSTILE, error = &error as &dyn std::error::Error, "{HOSTILE}");
        };
        match form {
            Form::Json => {
                let subscriber = tracing_subscriber::registry().with(layer().json().with_writer(writer));
                tracing::subscriber::with_default(subscriber, log);
            }
            Form::Text => {
                let layer = layer().with_ansi(false).with_writer(writer);
                tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
            }
        }
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn an_event_is_one_line_and_drives_no_terminal() {
        for form in [Form::Text, Form::Json] {
            let line = logged(form);
            let text = line.strip_suffix('\n').unwrap();
            assert!(!text.chars().any(is_unprintable), "{}", text.escape_debug());
            assert!(text.contains('é'), "what can be read stays: {text}");
        }
    }

    #[test]
    fn a_line_of_json_still_says_what_was_logged() {
        let event: serde_json::Value = serde_json::from_str(&logged(Form::Json)).unwrap();
        assert_eq!(
            (event["fields"]["message"].as_str(), event["fields"]["field"].as_str()),
            (Some(HOSTILE), Some(HOSTILE))
        );
    }
}
