//! `--raw`: seals one value, for the scope, namespace and name of the flags.
//!
//! Invariant: only the sealed value is printed, without a line break after it.

use seal_crds::bitnami::Label;
use seal_crds::keys::Certificate;

use super::failure::KubesealError;
use super::namespace;
use super::options::Options;
use super::seal::warn_of_names;
use crate::files::input::Input;
use crate::talk::failure::Failure;
use crate::talk::terminal;

/// Seals the value of the one file, or of standard input.
pub(super) fn raw(options: &Options, certificate: &Certificate) -> Result<String, Failure> {
    let scope = options.scope.unwrap_or_default();
    let name = options.name.as_deref().unwrap_or_default();
    let mut namespace = String::new();
    if scope.binds_namespace() {
        namespace = namespace::find(options.namespace.as_deref(), &options.access)?.namespace;
    }
    if name.is_empty() && scope.binds_name() {
        return Err(KubesealError::RawWithoutName(scope).into());
    }
    let value = match options.from_file.as_slice() {
        [] => {
            if terminal::stdin_is_terminal() {
                terminal::note("(tty detected: expecting a secret to encrypt in stdin)");
            }
            Input::Stdin
        }
        [file] => {
            // As in kubectl's `--from-file`, an item's name may stand before the path. It has no use here.
            let path = file.split_once('=').map_or(file.as_str(), |(_, path)| path);
            Input::File(path.into())
        }
        _ => return Err(KubesealError::ManyFiles.into()),
    };
    let value = value.read_bytes()?;
    warn_of_names(&namespace, name, None);
    Ok(Label::from_text(scope, &namespace, name).seal_item(certificate.public_key(), &value))
}
