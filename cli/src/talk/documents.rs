//! What is said of files that aren't what they should be: the errors of [`seal_documents`], ready to be printed.

use seal_documents::{
    manifest::{DecodeError, FieldError, FindError, ManifestError, SpliceError},
    source::Spotted,
    yaml::tree::Problem,
};

use super::failure::{Explain, Failure};

/// Each knows what to try, and ends the program as any other failure does.
macro_rules! explain {
    ($($error:ty),*) => {$(
        impl Explain for $error {
            fn hint(&self) -> Option<String> {
                self.hint()
            }
        }
    )*};
}

explain!(DecodeError, FieldError, FindError, ManifestError, Problem, SpliceError);

impl<E: Explain> From<Spotted<E>> for Failure {
    fn from(Spotted { error, spot }: Spotted<E>) -> Self {
        Self::from(error).at(*spot)
    }
}
