//! Flow collections and JSON.
//!
//! Invariant: what stands in braces is the same object as in blocks.

use super::{Envelope, Part, Says, Writer};

/// The space between the tokens of a flow collection.
#[derive(Clone)]
pub(super) struct Layout {
    /// After a comma and inside of brackets: a blank, nothing, or a line break with its indent.
    pub(super) outer: String,
    pub(super) colon: &'static str,
    pub(super) is_json: bool,
    /// The indent of a level, if each entry has a line of its own.
    pub(super) step: Option<usize>,
    pub(super) depth: usize,
}

impl Layout {
    /// On one line.
    pub(super) fn line(writer: &mut Writer<'_>) -> Self {
        let is_json = writer.one_in(3);
        let outer = writer.pick(&["", " "]).to_owned();
        let colon = if is_json && writer.one_in(2) { ":" } else { ": " };
        Self { outer, colon, is_json, step: None, depth: 0 }
    }

    fn gap(&self, depth: usize) -> String {
        match self.step {
            Some(step) => format!("\n{}", " ".repeat(step * depth)),
            None => self.outer.clone(),
        }
    }

    fn deeper(&self) -> Self {
        Self { depth: self.depth + 1, ..self.clone() }
    }

    fn scalar(&self, writer: &mut Writer<'_>, text: &str) -> String {
        if self.is_json {
            let text = if writer.one_in(4) { text.replace('/', "\\/") } else { text.to_owned() };
            format!("\"{text}\"")
        } else {
            writer.quoted(text)
        }
    }

    /// A comma with the space after it.
    fn comma(&self) -> String {
        match self.step {
            Some(_) => format!(",{}", self.gap(self.depth + 1)),
            // A plain scalar may hold a comma, unless a blank follows it.
            None if self.is_json => format!(",{}", self.outer),
            None => ", ".to_owned(),
        }
    }
}

/// A whole manifest in JSON.
pub(super) fn json(writer: &mut Writer<'_>, says: &Says) {
    let step = if writer.one_in(3) { None } else { Some(1 + writer.random.below(4)) };
    let colon = if step.is_some() || writer.one_in(2) { ": " } else { ":" };
    let outer = if colon == ": " { writer.pick(&["", " "]) } else { "" };
    let layout = Layout { outer: outer.to_owned(), colon, is_json: true, step, depth: 0 };
    if writer.one_in(6) {
        writer.fixed("\u{feff}");
    }
    if writer.one_in(6) {
        writer.fixed("{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"data\":{\"a\":\"x\"}}\n");
    }
    let list = writer.one_in(5);
    let object = if list { layout.deeper().deeper() } else { layout.clone() };
    let gap = |depth: usize| layout.gap(depth);
    if list {
        writer.fixed(format!(
            "{{{}\"apiVersion\"{colon}\"v1\",{}\"kind\"{colon}\"List\",{}\"items\"{colon}[{}",
            gap(1),
            gap(1),
            gap(1),
            gap(2)
        ));
    }
    let gap_in = |depth: usize| object.gap(object.depth + depth);
    writer.fixed(format!(
        "{{{0}\"apiVersion\"{colon}\"sealing.dev/v1alpha1\",{0}\"kind\"{colon}\"SealedSecret\",{0}\"metadata\"{colon}{{\
         \"name\"{colon}\"db\",\"namespace\"{colon}\"prod\"}},{0}\"spec\"{colon}",
        gap_in(1)
    ));
    spec(writer, says, &object.deeper());
    writer.fixed(format!("{}}}", gap_in(0)));
    if list {
        writer.fixed(format!("{}]{}}}", gap(1), gap(0)));
    }
    let end = writer.pick(&["", "\n"]);
    writer.fixed(end);
}

/// The spec as one flow mapping.
pub(super) fn spec(writer: &mut Writer<'_>, says: &Says, layout: &Layout) {
    let colon = layout.colon;
    writer.fixed("{");
    for (position, field) in writer.shuffled(4).into_iter().enumerate() {
        let gap = if position == 0 { layout.gap(layout.depth + 1) } else { layout.comma() };
        let name = ["scope", "envelopes", "encryptedData", "template"][field];
        let name = layout.scalar(writer, name);
        writer.fixed(format!("{gap}{name}{colon}"));
        let inner = layout.deeper();
        match field {
            0 => {
                let scope = layout.scalar(writer, &says.scope);
                writer.fixed(scope);
            }
            1 => envelopes(writer, &says.envelopes, &inner),
            2 => items(writer, &says.items, &inner),
            _ => writer.fixed(format!("{{\"type\"{colon}\"Opaque\"}}")),
        }
    }
    writer.fixed(format!("{}}}", layout.gap(layout.depth)));
}

pub(super) fn envelopes(writer: &mut Writer<'_>, envelopes: &[Envelope], layout: &Layout) {
    writer.fixed("[");
    writer.push("", Part::Joint);
    for (index, found) in envelopes.iter().enumerate() {
        let gap = if index == 0 { layout.gap(layout.depth + 1) } else { layout.comma() };
        writer.push(gap, Part::Separator);
        writer.push("", Part::Joint);
        let text = envelope(writer, found, &layout.deeper());
        writer.push(text, Part::Envelope(index));
        writer.push("", Part::Joint);
    }
    if !layout.is_json && writer.one_in(6) {
        writer.push(",", Part::Separator);
    }
    writer.push(layout.gap(layout.depth), Part::Separator);
    writer.fixed("]");
}

/// One envelope on one line.
pub(super) fn envelope(writer: &mut Writer<'_>, envelope: &Envelope, layout: &Layout) -> String {
    let (colon, comma) = (layout.colon, if layout.is_json { "," } else { ", " });
    let keys: Vec<String> = envelope.keys.iter().map(|key| layout.scalar(writer, key)).collect();
    let recipient = |(name, fingerprint): &(Option<String>, String)| {
        let name = name.as_ref().map(|name| format!("\"name\"{colon}\"{name}\"{comma}"));
        format!("{{{}\"fingerprint\"{colon}\"{fingerprint}\"}}", name.unwrap_or_default())
    };
    let recipients: Vec<String> = envelope.recipients.iter().map(recipient).collect();
    let age = layout.scalar(writer, &envelope.age);
    format!(
        "{{\"keys\"{colon}[{}]{comma}\"recipients\"{colon}[{}]{comma}\"age\"{colon}{age}}}",
        keys.join(comma),
        recipients.join(comma)
    )
}

pub(super) fn items(writer: &mut Writer<'_>, items: &[(String, String)], layout: &Layout) {
    writer.fixed("{");
    writer.push("", Part::Joint);
    for (index, (name, line)) in items.iter().enumerate() {
        let gap = if index == 0 { layout.gap(layout.depth + 1) } else { layout.comma() };
        writer.push(gap, Part::Separator);
        writer.push("", Part::Joint);
        let name = layout.scalar(writer, name);
        writer.push(format!("{name}{}", layout.colon), Part::Item(index));
        let line = layout.scalar(writer, line);
        writer.push(line, Part::Value(index));
        writer.push("", Part::Joint);
    }
    if !layout.is_json && writer.one_in(6) {
        writer.push(",", Part::Separator);
    }
    writer.push(layout.gap(layout.depth), Part::Separator);
    writer.fixed("}");
}
