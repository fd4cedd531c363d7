//! Block collections, with everything that may stand around and between them.
//!
//! Invariant: each entry ends with its line, so that a piece that goes takes whole lines along.

use super::flow::{self, Layout};
use super::{Envelope, Part, Says, Writer};

const BEFORE: [&str; 8] = [
    "",
    "---\n",
    "# a comment\n---\n",
    "\n# a comment: with a colon\n\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: |\n    x: 'y\n\n    # no comment\n  b: \"c\"   # kept\n---\n",
    "--- # kept\n{apiVersion: v1, kind: ConfigMap,   data: {a: b}}\n---\n",
    "apiVersion: v1\nkind: X\na: &a [b,  c]\nb: *a\n...\n---\n",
    "apiVersion: v1\nkind: W\n\n\n---\n# about it\n",
];

const AFTER: [&str; 7] = [
    "",
    "\n",
    "# the end",
    "---\n",
    "---\napiVersion: v1\nkind: ConfigMap\ndata:\n    a: >+\n      folded\n\n",
    "...\n# after\n",
    "\n\n# two\n---\n{apiVersion: v1, kind: Z}\n",
];

/// A manifest; the answer is whether an anchor on a part of the object is used elsewhere.
pub(super) fn manifest(writer: &mut Writer<'_>, says: &Says) -> bool {
    if writer.one_in(8) {
        writer.fixed("\u{feff}");
    }
    let before = writer.pick(&BEFORE);
    writer.fixed(before);
    let is_item = writer.one_in(5);
    let mut indent = 0;
    if is_item {
        let dash = writer.blanks(0, 2);
        let gap = writer.blanks(1, 3);
        indent = dash.len() + 1 + gap.len();
        writer.fixed(format!(
            "apiVersion: v1\nkind: List\nitems: # i\n{dash}- {{apiVersion: v1, kind: A}}\n{dash}-{gap}"
        ));
    }
    let pad = " ".repeat(indent);
    let version = writer.quoted("sealing.dev/v1alpha1");
    writer.fixed(format!("apiVersion: {version}\n"));
    let step = 2 + 2 * writer.random.below(2);
    let deeper = " ".repeat(step);
    let fields = [
        format!("{pad}kind: SealedSecret\n"),
        format!(
            "{pad}metadata:\n{pad}{deeper}name: db # n\n{pad}{deeper}namespace: 'prod'\n{pad}{deeper}labels: {{a: b,  c: d}}\n"
        ),
    ];
    let order = writer.shuffled(3);
    for field in order {
        comments(writer, &pad, Part::Fixed);
        match fields.get(field) {
            Some(field) => writer.fixed(field.as_str()),
            None => spec(writer, says, indent, step),
        }
    }
    // An alias of a part of the object outside of it, in the same document.
    let is_shared = !is_item && writer.one_in(40) && share(writer);
    let after = writer.pick(&AFTER);
    if is_item && after.is_empty() {
        return is_shared;
    }
    writer.fixed(after);
    if after.is_empty() && writer.one_in(4) {
        let last = writer.pieces.iter_mut().rev().find(|piece| !piece.text.is_empty()).expect("it has some");
        last.text = last.text.trim_end_matches('\n').to_owned();
    }
    is_shared
}

/// Puts an anchor on the first value of an item, and an alias behind the object.
fn share(writer: &mut Writer<'_>) -> bool {
    let Some(at) = writer.pieces.iter().position(|piece| piece.part == Part::Value(0)) else { return false };
    let has_anchor = at > 0 && writer.pieces[at - 1].text.contains(['&', '!']);
    let piece = &mut writer.pieces[at];
    if has_anchor || piece.text.starts_with(['|', '>', '\n']) {
        return false;
    }
    piece.text = format!("&shared {}", piece.text);
    writer.fixed("more: *shared\n");
    true
}

/// Comments and blank lines above an entry.
fn comments(writer: &mut Writer<'_>, pad: &str, part: Part) {
    if writer.one_in(5) {
        let text = writer.pick(&["# about it", "#", "# key: value", "# - dash", "#'quote", "# é 😀"]);
        writer.push(format!("{pad}{text}\n"), part);
    }
    if writer.one_in(10) {
        let blank = writer.pick(&["\n", "  \n", "\n\n"]);
        writer.push(blank, part);
    }
}

fn line_end(writer: &mut Writer<'_>) -> String {
    match writer.random.below(8) {
        0 => " # c\n".to_owned(),
        1 => "   # key: 'v\n".to_owned(),
        2 => "  \n".to_owned(),
        _ => "\n".to_owned(),
    }
}

/// The colon of a key and the blanks around it.
fn colon(writer: &mut Writer<'_>) -> String {
    match writer.random.below(8) {
        0 => ":   ".to_owned(),
        1 => " : ".to_owned(),
        _ => ": ".to_owned(),
    }
}

fn spec(writer: &mut Writer<'_>, says: &Says, indent: usize, step: usize) {
    let pad = " ".repeat(indent);
    if writer.one_in(12) {
        writer.fixed(format!("{pad}spec: "));
        let layout = Layout::line(writer);
        flow::spec(writer, says, &layout);
        let end = line_end(writer);
        return writer.fixed(end);
    }
    let end = line_end(writer);
    let tag = writer.pick(&["", "", "", "", " !!map", " &spec"]);
    writer.fixed(format!("{pad}spec:{tag}{end}"));
    let pad = " ".repeat(indent + step);
    for field in writer.shuffled(4) {
        comments(writer, &pad, Part::Fixed);
        match field {
            0 => {
                let (scope, colon, end) = (writer.quoted(&says.scope), colon(writer), line_end(writer));
                writer.fixed(format!("{pad}scope{colon}{scope}{end}"));
            }
            1 => envelopes(writer, &says.envelopes, indent + step, step),
            2 => items(writer, &says.items, indent + step, step),
            _ => writer.fixed(format!(
                "{pad}template:\n{pad}  type: Opaque # t\n{pad}  data:\n{pad}    url: |\n{pad}      x://\n\n"
            )),
        }
    }
}

fn items(writer: &mut Writer<'_>, items: &[(String, String)], indent: usize, step: usize) {
    let pad = " ".repeat(indent);
    let key = writer.pick(&["encryptedData", "'encryptedData'", "\"encryptedData\""]);
    if writer.one_in(8) {
        writer.fixed(format!("{pad}{key}: "));
        let layout = Layout::line(writer);
        flow::items(writer, items, &layout);
        let end = line_end(writer);
        return writer.fixed(end);
    }
    let (anchor, end) = (writer.pick(&["", "", "", "", "", " &items", " !!map"]), line_end(writer));
    writer.fixed(format!("{pad}{key}:{anchor}{end}"));
    let pad = " ".repeat(indent + step);
    writer.push("", Part::Joint);
    for (index, (name, line)) in items.iter().enumerate() {
        comments(writer, &pad, Part::Fixed);
        writer.push("", Part::Joint);
        item(writer, index, name, line, &pad);
        writer.push("", Part::Joint);
    }
}

/// One item on its own lines.
fn item(writer: &mut Writer<'_>, index: usize, name: &str, line: &str, pad: &str) {
    let name = writer.quoted(name);
    if writer.one_in(60) {
        // An explicit key.
        writer.push(format!("{pad}? {name}\n{pad}: "), Part::Item(index));
        let value = writer.quoted(line);
        writer.push(value, Part::Value(index));
        return writer.push("\n", Part::Item(index));
    }
    if writer.one_in(7) {
        let mark = writer.pick(&["|-", ">-", "|2-", ">-  # c", "|- # c"]);
        // A number in the mark says how much deeper the lines stand.
        let deeper = if mark.starts_with("|2") { 2 } else { 1 + writer.random.below(4) };
        writer.push(format!("{pad}{name}: "), Part::Item(index));
        let blank = if writer.one_in(6) { "\n" } else { "" };
        writer.push(format!("{mark}\n{pad}{}{line}", " ".repeat(deeper)), Part::Value(index));
        writer.push("\n", Part::Item(index));
        writer.push("", Part::Joint);
        return writer.fixed(blank);
    }
    if writer.one_in(10) {
        let deeper = writer.blanks(1, 4);
        let value = writer.quoted(line);
        let end = line_end(writer);
        writer.push(format!("{pad}{name}:\n{pad}{deeper}"), Part::Item(index));
        writer.push(value, Part::Value(index));
        return writer.push(end, Part::Item(index));
    }
    let mark = writer.pick(&["", "", "", "", "", "", "", "!!str ", "&it "]);
    let colon = colon(writer);
    let end = line_end(writer);
    writer.push(format!("{pad}{name}{colon}{mark}"), Part::Item(index));
    let value = if writer.one_in(8) && line.len() > 60 {
        // A text in double quotes over two lines.
        format!("\"{}\\\n{pad}   {}\"", &line[..50], &line[50..])
    } else {
        writer.quoted(line)
    };
    writer.push(value, Part::Value(index));
    writer.push(end, Part::Item(index));
}

fn envelopes(writer: &mut Writer<'_>, envelopes: &[Envelope], indent: usize, step: usize) {
    let pad = " ".repeat(indent);
    if writer.one_in(8) {
        writer.fixed(format!("{pad}envelopes: "));
        let layout = Layout::line(writer);
        flow::envelopes(writer, envelopes, &layout);
        let end = line_end(writer);
        return writer.fixed(end);
    }
    let end = line_end(writer);
    writer.fixed(format!("{pad}envelopes:{end}"));
    let dash = if writer.one_in(2) { pad } else { " ".repeat(indent + step) };
    let gap = writer.blanks(1, 3);
    writer.push("", Part::Joint);
    for (index, found) in envelopes.iter().enumerate() {
        comments(writer, &dash, Part::Between);
        let text = if writer.one_in(8) {
            let layout = Layout::line(writer);
            let envelope = flow::envelope(writer, found, &layout);
            let end = line_end(writer);
            format!("{dash}-{gap}{envelope}{end}")
        } else {
            envelope(writer, found, &dash, &gap)
        };
        writer.push("", Part::Joint);
        writer.push(text, Part::Envelope(index));
        writer.push("", Part::Joint);
    }
}

/// One envelope on its own lines.
fn envelope(writer: &mut Writer<'_>, envelope: &Envelope, dash: &str, gap: &str) -> String {
    let pad = format!("{dash} {}", " ".repeat(gap.len()));
    let mut text = String::new();
    for (position, field) in writer.shuffled(3).into_iter().enumerate() {
        let lead = if position == 0 { format!("{dash}-{gap}") } else { pad.clone() };
        let end = line_end(writer);
        match field {
            0 if writer.one_in(3) => text += &format!("{lead}keys: [{}]{end}", envelope.keys.join(", ")),
            0 => {
                text += &format!("{lead}keys:{end}");
                for key in &envelope.keys {
                    let (key, end) = (writer.quoted(key), line_end(writer));
                    text += &format!("{pad}  - {key}{end}");
                }
            }
            1 => {
                text += &format!("{lead}recipients:{end}");
                let deeper = writer.pick(&["", "  "]);
                for (name, fingerprint) in &envelope.recipients {
                    let name = name.as_ref().map(|name| format!("name: {name} # n\n{pad}{deeper}  "));
                    let name = name.unwrap_or_default();
                    text += &format!("{pad}{deeper}- {name}fingerprint: {fingerprint}{}", line_end(writer));
                }
            }
            _ if writer.one_in(6) => text += &format!("{lead}age: >-\n{pad}    {}\n", envelope.age),
            _ => {
                let age = writer.quoted(&envelope.age);
                text += &format!("{lead}age: {age}{end}");
            }
        }
    }
    text
}
