//! The way to a Kubernetes cluster, as kubectl goes it: the files of the kubeconfig, the server, the proxy and
//! the login.
//!
//! Both programs go this way and no other. This crate knows neither flags nor requests. kube does most of the
//! work. Only this crate works around kube 5.0 where it differs from kubectl (client-go 0.36):
//!
//! | kube-client 5.0.0 | here |
//! | --- | --- |
//! | holds `NO_PROXY` against the proxy's address, fails on an empty part of it (`config/file_loader.rs`, `no_proxy.rs`) | [`Proxies`] |
//! | knows no proxy without a scheme, and no `HTTP_PROXY` | [`Proxies`] |
//! | a file of `KUBECONFIG` that is missing is an error; half a UTF-16 character panics (`config/file_config.rs`) | [`read()`] |
//! | runs a login program for the token, for the certificate, and for the expiry (`client/config_ext.rs`, `client/tls.rs`, `client/builder.rs`), and again for each client | `login` |
//! | takes standard input from a login program that is piped, or gives it one that is the manifest | `plugin` |
//! | sends a token file with its newline, and prefers `token` to `tokenFile` (`client/auth/mod.rs`) | `login` |
//! | panics for a token that no header may hold, and for a server without a scheme (`tower_http`'s `add_authorization`, `client/middleware/base_uri.rs`) | `login`, `url` |
//! | sends credentials over plain HTTP | `login` |
//!
//! Invariant: no input makes it panic, and no error repeats a credential, or a URL that may hold one.

mod error;
mod files;
mod identity;
mod login;
mod plugin;
mod proxy;
mod route;
mod url;

pub use error::{Field, Owner, PluginError, ReadError, RouteError, ValueError};
pub use files::read;
pub use proxy::{Proxies, through_proxy};
pub use route::{Renewal, Route, in_cluster};
