//! Flags of the endpoints.
//!
//! Not the endpoints. Invariant: without `--compat-http` none of them runs, and each endpoint that opens
//! something has a flag of its own.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use seal_crds::duration;

use super::Options;
use crate::keys::bitnami::Making;

/// The HTTP endpoints of sealed-secrets, for its own command line.
#[derive(Args)]
pub(crate) struct CompatArgs {
    /// Serve sealed-secrets' /v1/cert.pem here, so that kubeseal finds the certificate to seal to. Makes
    /// sealing keys of that kind: a first one, and newer ones.
    #[arg(long, env = "SEAL_CONTROLLER_COMPAT_HTTP", value_name = "ADDRESS")]
    pub(crate) compat_http: Option<SocketAddr>,
    /// The age of the newest key of sealed-secrets' kind at which a newer one is made, with --compat-http;
    /// 0 turns that off.
    #[arg(
        long,
        env = "SEAL_CONTROLLER_BITNAMI_KEY_RENEWAL",
        value_name = "DURATION",
        default_value = "30d",
        value_parser = duration::parse
    )]
    pub(crate) bitnami_key_renewal: Duration,
    /// Also serve /v1/verify (kubeseal --validate). An oracle: whoever reaches it learns whether what they
    /// post would open, without any right in the cluster.
    #[arg(long, requires = "compat_http")]
    pub(crate) compat_verify: bool,
    /// Also serve /v1/rotate (kubeseal --re-encrypt). An oracle like /v1/verify: what is posted is opened,
    /// and sealed again to the newest key.
    #[arg(long, requires = "compat_http")]
    pub(crate) compat_rotate: bool,
    /// How many requests a second may open something, for each address they come from.
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) compat_rate_limit: u32,
    /// How many more may come at once after a rest.
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(crate) compat_rate_limit_burst: u32,
}

impl CompatArgs {
    /// The keys of sealed-secrets' kind to make; `None` without `--compat-http`, since nobody would get their
    /// certificates.
    pub(crate) fn to_making(&self) -> Option<Making> {
        let renewal = Some(self.bitnami_key_renewal).filter(|period| !period.is_zero());
        self.compat_http.map(|_| Making { renewal })
    }

    /// The endpoints to serve; `None` without `--compat-http`.
    pub(crate) fn to_options(&self) -> Option<Options> {
        Some(Options {
            listen: self.compat_http?,
            verify: self.compat_verify,
            rotate: self.compat_rotate,
            rate: self.compat_rate_limit,
            burst: self.compat_rate_limit_burst,
        })
    }
}
