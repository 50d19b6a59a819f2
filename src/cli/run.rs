//! `overspill run`: route traffic until told to drain.

use clap::Args;

use super::{Failure, RouterArgs};
use crate::app::{self, Configuration};
use crate::telemetry;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    router: RouterArgs,
}

pub(super) fn run(args: RunArgs) -> Result<(), Failure> {
    let configuration = Configuration::read(args.router.into()).map_err(Failure::Config)?;
    telemetry::init(&configuration.checked().startup.log)?;
    Ok(app::build(configuration)?.run()?)
}
