//! `--validate` and `--re-encrypt`: tasks for the controller, since only the controller has the private keys.
//!
//! Invariant: only a SealedSecret of the same name is taken from a controller's answer, and no text of it is
//! shown.

use http::{Method, StatusCode};
use zeroize::Zeroizing;

use seal_documents::source::Source;

use super::failure::KubesealError;
use super::go_value::GoValue;
use super::options::Options;
use super::schema::{SEALED_SECRET, set};
use super::{print, sealed};
use crate::keys::cluster::Controller;
use crate::talk::failure::Failure;

/// Asks the controller whether it can open every SealedSecret of the input.
pub(super) fn validate(options: Options, source: &Source) -> Result<(), Failure> {
    let sealed = sealed::all(source).map_err(|failure| failure.under(&KubesealError::NotDecodable))?;
    let controller = Controller::find(options.access, &options.controller)?;
    for object in &sealed {
        let name =
            || object.get("metadata").map(|metadata| metadata.text_at("name").to_owned()).unwrap_or_default();
        match post(&controller, "/v1/verify", object)? {
            (status, _) if status.is_success() => {}
            (StatusCode::CONFLICT, _) => return Err(KubesealError::NotValid(name()).into()),
            (status, _) => return Err(KubesealError::Validate(said(status)).into()),
        }
    }
    Ok(())
}

/// Asks the controller to seal every SealedSecret of the input again.
pub(super) fn reencrypt(options: Options, source: &Source) -> Result<Vec<GoValue>, Failure> {
    let sealed = sealed::all(source)?;
    let controller = Controller::find(options.access, &options.controller)?;
    sealed.iter().map(|object| reencrypt_one(&controller, object)).collect()
}

fn reencrypt_one(controller: &Controller, object: &GoValue) -> Result<GoValue, Failure> {
    let answer = match post(controller, "/v1/rotate", object)? {
        (status, body) if status.is_success() => body,
        (StatusCode::CONFLICT, _) => return Err(KubesealError::NotRotated.into()),
        (status, _) => return Err(KubesealError::ReEncrypt(said(status)).into()),
    };
    let text = String::from_utf8(answer).map_err(|_| KubesealError::OtherAnswer)?;
    let source = Source::new("the controller's answer".to_owned(), Zeroizing::new(text));
    let mut new = sealed::answered(&source).map_err(|_| KubesealError::OtherAnswer)?;
    let id =
        |object: &GoValue, field| object.get("metadata").map(|metadata| metadata.text_at(field).to_owned());
    if ["name", "namespace"].into_iter().any(|field| id(&new, field) != id(object, field)) {
        return Err(KubesealError::OtherAnswer.into());
    }
    let mut metadata = new.take("metadata").expect("a SealedSecret that was read always has it");
    for field in ["creationTimestamp", "deletionTimestamp", "generation"] {
        metadata.take(field);
    }
    set(&mut new, &SEALED_SECRET, "metadata", metadata);
    Ok(new)
}

fn post(controller: &Controller, path: &str, object: &GoValue) -> Result<(StatusCode, Vec<u8>), Failure> {
    Ok(controller.ask(Method::POST, path, print::compact(object).bytes().to_vec())?)
}

fn said(status: StatusCode) -> String {
    match status {
        StatusCode::FORBIDDEN => "the Service's proxy is forbidden (403)".to_owned(),
        StatusCode::NOT_FOUND => "the controller doesn't offer it (404)".to_owned(),
        StatusCode::TOO_MANY_REQUESTS => "the controller is asked too often (429)".to_owned(),
        StatusCode::SERVICE_UNAVAILABLE => "no endpoints available for the Service (503)".to_owned(),
        status => format!("status {}", status.as_u16()),
    }
}
