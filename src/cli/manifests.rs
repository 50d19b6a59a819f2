//! `overspill manifests`: what Kubernetes needs to scale and watch the pools of a configuration.
//!
//! The same documents and flags print the same text. Nothing is asked of a cluster, and nothing is applied.

mod autoscaler;
mod demand;
mod keda;
mod monitoring;
mod workload;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use http::Uri;
use serde_json::{Value, json};

use super::Failure;
use super::fetch::parse_url;
use crate::config::{self, Checked, Overrides};
use crate::control::Folder;
use crate::domain::{Preset, is_object_name};
use workload::{Workload, workloads};

/// The name of the routers' workload where no document says.
const ROUTER: &str = "overspill";

#[derive(Debug, Args)]
pub(super) struct ManifestsArgs {
    /// Folder or file of YAML documents.
    #[arg(long, value_name = "PATH", env = "OVERSPILL_CONFIG", required_unless_present_any = ["definitions"])]
    config: Option<PathBuf>,
    /// The recipe of pools whose document names none.
    #[arg(long, value_enum, default_value_t = Recipe::Online)]
    preset: Recipe,
    /// What is printed; may be given several times, or as a list.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Part::Hpa, Part::ScaledObject, Part::ServiceMonitor, Part::Rules, Part::Dashboard])]
    only: Vec<Part>,
    /// By which way a `ScaledObject` learns of the demand.
    #[arg(long, value_enum, default_value_t = Trigger::ExternalPush)]
    trigger: Trigger,
    /// The Prometheus that the trigger `prometheus` asks.
    #[arg(long, value_name = "URL", value_parser = parse_url, default_value = "http://prometheus-operated.monitoring.svc:9090")]
    prometheus: Uri,
    /// The Service of the routers' own ports, as in the manifests.
    #[arg(long, value_name = "NAME", default_value = "overspill-admin")]
    service: String,
    /// The definitions of Overspill's own kinds instead.
    #[arg(long, conflicts_with = "only")]
    definitions: bool,
}

/// One object, or one for each pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// A `HorizontalPodAutoscaler` for each workload.
    Hpa,
    /// A `ScaledObject` of KEDA for each workload; it takes the `HorizontalPodAutoscaler` over.
    ScaledObject,
    /// The `ServiceMonitor` of the routers.
    ServiceMonitor,
    /// Recording rules and alerts.
    Rules,
    /// The Grafana dashboard.
    Dashboard,
}

/// The presets' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Recipe {
    /// 5 to 20 replicas, CPU 60 %, memory 70 %; up at once.
    Online,
    /// 2 to 10 replicas, CPU 80 %, memory 85 %; up after a minute.
    Batch,
    /// 3 to 15 replicas, CPU 70 %, 50 pending requests each.
    Custom,
    /// 1 to 10 replicas, CPU 50 %.
    Cost,
}

impl From<Recipe> for Preset {
    fn from(recipe: Recipe) -> Self {
        match recipe {
            Recipe::Online => Self::Online,
            Recipe::Batch => Self::Batch,
            Recipe::Custom => Self::Custom,
            Recipe::Cost => Self::Cost,
        }
    }
}

/// KEDA's scalers that the routers serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Trigger {
    /// A query of Prometheus.
    Prometheus,
    /// `GET /scaling` of the routers.
    MetricsApi,
    /// gRPC, asked by KEDA.
    External,
    /// gRPC, which also wakes a pool that is at zero.
    ExternalPush,
}

/// What holds for every object that is printed.
struct Terms<'a> {
    /// The namespace of the routers.
    namespace: &'a str,
    /// The name of the routers' workload.
    router: &'a str,
    /// The Service of their own ports.
    service: &'a str,
    trigger: Trigger,
    prometheus: &'a Uri,
}

/// Prints one YAML document an object.
pub(super) fn run(args: &ManifestsArgs, out: &mut impl Write) -> Result<ExitCode, Failure> {
    let objects = match &args.config {
        Some(path) if !args.definitions => {
            let checked = read(path)?;
            let (workloads, without) = nameable(workloads(&checked.pools, args.preset.into()));
            for one in without {
                writeln!(out, "{}", left_out(&one))?;
            }
            objects(&checked, &workloads, args)
        }
        _ => config::custom_resource_definitions().iter().map(config::to_yaml).collect(),
    };
    for (at, object) in objects.iter().enumerate() {
        out.write_all(if at == 0 { b"" } else { b"---\n" })?;
        out.write_all(object.as_bytes())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Checked, Failure> {
    let files = Folder::new(path).read().map_err(|error| Failure::Config(vec![error.problem()]))?;
    let loaded = config::load(&files, &Overrides::default());
    let faulty = loaded.is_faulty();
    loaded.checked.filter(|_| !faulty).ok_or(Failure::Config(loaded.problems))
}

/// Those that Kubernetes takes the names of, and the others.
fn nameable(all: Vec<Workload>) -> (Vec<Workload>, Vec<Workload>) {
    all.into_iter().partition(|one| is_object_name(&one.name))
}

/// A comment that says what is not among the objects, and what would have it there.
fn left_out(workload: &Workload) -> String {
    let (name, pools) = (&workload.name, workload.pools.join(", "));
    format!(
        "# Left out: {pools}. Kubernetes has no {} called `{name}`; name what is scaled in the PoolPolicy's spec.scaling.scaleTargetRef.",
        workload.kind
    )
}

fn objects(checked: &Checked, workloads: &[Workload], args: &ManifestsArgs) -> Vec<String> {
    let own = &checked.startup.workload;
    let terms = Terms {
        namespace: &own.namespace,
        router: if is_object_name(&own.name) { &own.name } else { ROUTER },
        service: &args.service,
        trigger: args.trigger,
        prometheus: &args.prometheus,
    };
    let each =
        |object: &dyn Fn(&Workload) -> Value| workloads.iter().map(|one| config::to_yaml(&object(one))).collect();
    let mut parts: Vec<Part> = args.only.clone();
    parts.sort_by_key(|part| *part as u8);
    parts.dedup();
    let part = |part: Part| -> Vec<String> {
        match part {
            Part::Hpa => each(&autoscaler::horizontal),
            Part::ScaledObject => each(&|one| keda::scaled_object(one, &terms)),
            Part::ServiceMonitor => vec![monitoring::service_monitor(&terms)],
            Part::Rules => vec![monitoring::rules(workloads, &terms)],
            Part::Dashboard => vec![monitoring::dashboard(workloads, &terms)],
        }
    };
    parts.into_iter().flat_map(part).collect()
}

/// The metadata of an object.
fn metadata(name: &str, namespace: &str) -> Value {
    json!({ "name": name, "namespace": namespace, "labels": { "app.kubernetes.io/part-of": "overspill" } })
}
