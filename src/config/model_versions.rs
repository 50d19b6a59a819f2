//! Which version of the local model takes what share: the setting, and the documents by which models are released.

use super::finding::{Findings, MODEL_VERSION, Remark, remark};
use super::path::Path;
use super::written::{ModelDocument, ModelFiles, ModelVersion, Sourced, Written};

/// Which versions of the local model are served; each is a folder below the model's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// The version that takes what the canary does not; `None` is the files in the folder itself, else the highest version
    /// that there is beside the canary.
    pub stable: Option<String>,
    /// A version on trial.
    pub canary: Option<Canary>,
}

/// A version on trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Its name.
    pub version: String,
    /// Its share of the local model's requests, from 0 to 100.
    pub percentage: u8,
}

type Source = Sourced<ModelDocument<ModelVersion>>;

/// Reads what the documents say of the local model that `settings` describe.
///
/// A version whose canary is enabled is on trial. Of the others, the one in force is that of the settings, else of the
/// model's `AIModel`, else of the newest `ModelVersion` without a canary; one whose canary is disabled comes last, since
/// disabling a canary must never give it everything while another version is there.
pub(super) fn rollout(written: &Written, settings: &ModelFiles, findings: &mut Findings) -> Rollout {
    let meant = meant(written, settings, findings);
    // What could not be read has been said, and its fields are not what is written.
    for source in meant.iter().filter(|source| source.intact) {
        check(source, findings);
    }
    let canary_of = |source: &&Source| source.spec.spec.canary_deployment.as_ref().map(|canary| canary.enabled);
    let trials: Vec<&Source> = meant.iter().copied().filter(|source| canary_of(source) == Some(true)).collect();
    for second in trials.iter().skip(1) {
        let message = format!("`{}` would be a second canary of the local model.", second.spec.spec.version);
        warn(
            second,
            "canaryDeployment",
            remark(message, "Enable one canary at a time; the oldest is in force."),
            findings,
        );
    }
    let last = |wanted: Option<bool>| meant.iter().copied().rev().find(|source| canary_of(source) == wanted);
    let of_document = || last(None).or_else(|| last(Some(false))).map(|source| source.spec.spec.version.clone());
    let of_model = || {
        let reference = meant.first().map(|source| &source.spec.spec.model_ref).or(settings.model_ref.as_ref());
        let model = written.ai_models.iter().find(|model| Some(&model.document.name) == reference);
        model.and_then(|model| model.spec.spec.version.clone())
    };
    let stable = settings.version.clone().or_else(of_model).or_else(of_document);
    let canary = trials.first().map(|source| Canary {
        version: source.spec.spec.version.clone(),
        percentage: source.spec.spec.canary_deployment.as_ref().map_or(0, |canary| share(canary.traffic_percentage)),
    });
    Rollout { canary: canary.filter(|canary| Some(&canary.version) != stable.as_ref()), stable }
}

/// The documents that are about the local model: all of them, unless they are about several models.
fn meant<'w>(written: &'w Written, settings: &ModelFiles, findings: &mut Findings) -> Vec<&'w Source> {
    let of = |reference: &str| -> Vec<&Source> {
        written.model_versions.iter().filter(|source| source.spec.spec.model_ref == reference).collect()
    };
    if let Some(reference) = &settings.model_ref {
        return of(reference);
    }
    let Some(first) = written.model_versions.first() else { return Vec::new() };
    let other = written.model_versions.iter().find(|other| other.spec.spec.model_ref != first.spec.spec.model_ref);
    let Some(other) = other else { return written.model_versions.iter().collect() };
    let message = format!(
        "There are versions of `{}` and of `{}`, and which of the two the local model is has not been said.",
        first.spec.spec.model_ref, other.spec.spec.model_ref
    );
    let said = remark(message, "Set `localModel.modelRef` of the Settings document; until then they are passed over.");
    warn(other, "modelRef", said, findings);
    Vec::new()
}

fn check(source: &Source, findings: &mut Findings) {
    let (document, spec) = (&source.document, &source.spec.spec);
    let mut wrong = |path: Path, message: String, cure: &str| {
        findings.error(MODEL_VERSION, document.place(&path), remark(message, cure));
    };
    // It becomes part of a path.
    if spec.version.is_empty() || spec.version.starts_with('.') || spec.version.contains(['/', '\\']) {
        let message = format!("`{}` is no name of a version.", spec.version);
        wrong(Path::spec().key("version"), message, "Write the name of a folder below the local model's, as in `v2`.");
    }
    let Some(canary) = &spec.canary_deployment else { return };
    if !(0..=100).contains(&canary.traffic_percentage) {
        let message = format!("{} is no percentage.", canary.traffic_percentage);
        let path = Path::spec().key("canaryDeployment").key("trafficPercentage");
        wrong(path, message, "Write a whole number from 0 to 100.");
    }
}

fn share(percentage: i64) -> u8 {
    u8::try_from(percentage.clamp(0, 100)).unwrap_or(0)
}

fn warn(source: &Source, field: &str, said: Remark, findings: &mut Findings) {
    findings.warning(MODEL_VERSION, source.document.place(&Path::spec().key(field)), said);
}

#[cfg(test)]
mod tests {
    use super::{Canary, Rollout};
    use crate::config::{Overrides, SourceFile, load};

    const SETTINGS: &str =
        "apiVersion: overspill.dev/v1\nkind: Settings\nmetadata: {name: s}\nspec: {localModel: {folder: m";

    fn version(name: &str, rest: &str) -> String {
        format!(
            "---\napiVersion: suoke.life/v1\nkind: ModelVersion\nmetadata: {{name: {name}}}\n\
             spec: {{modelRef: mini, version: {name}{rest}}}\n"
        )
    }

    fn canary(name: &str, enabled: bool, percentage: u32) -> String {
        version(name, &format!(", canaryDeployment: {{enabled: {enabled}, trafficPercentage: {percentage}}}"))
    }

    fn loaded(settings: &str, documents: &str) -> (Rollout, Vec<String>) {
        let text = format!("{SETTINGS}{settings}}}}}\n{documents}");
        let files = [SourceFile { name: "all.yaml".to_owned(), bytes: text.into_bytes() }];
        let loaded = load(&files, &Overrides::default());
        let problems = loaded.problems.iter().map(|problem| format!("{} {}", problem.code, problem.message)).collect();
        let rollout = loaded.checked.and_then(|checked| checked.local_model).map(|model| model.rollout);
        (rollout.unwrap_or_default(), problems)
    }

    #[test]
    fn a_rollback_or_a_disabled_canary_never_gives_a_version_more() {
        let model = "---\napiVersion: suoke.life/v1\nkind: AIModel\nmetadata: {name: mini}\n\
                     spec: {modelName: mini, version: v3, framework: onnx}\n";
        let cases = [
            ("", String::new(), None, None),
            ("", version("v1", ""), Some("v1"), None),
            ("", version("v1", "") + &version("v2", ""), Some("v2"), None),
            ("", version("v1", "") + &canary("v2", true, 20), Some("v1"), Some(("v2", 20))),
            ("", version("v1", "") + &canary("v2", false, 20), Some("v1"), None),
            ("", canary("v2", true, 20), None, Some(("v2", 20))),
            ("", canary("v2", false, 20), Some("v2"), None),
            ("", model.to_owned() + &canary("v2", true, 5), Some("v3"), Some(("v2", 5))),
            (", version: v1", model.to_owned() + &version("v2", ""), Some("v1"), None),
            (", version: v2", canary("v2", true, 5), Some("v2"), None),
            (", modelRef: other", version("v1", ""), None, None),
        ];
        for (settings, documents, stable, canary) in cases {
            let expected = Rollout {
                stable: stable.map(str::to_owned),
                canary: canary.map(|(version, percentage)| Canary { version: version.to_owned(), percentage }),
            };
            let (found, problems) = loaded(settings, &documents);
            assert_eq!(found, expected, "{settings} {documents} {problems:?}");
            assert!(problems.iter().all(|problem| !problem.starts_with("OVS2")), "{problems:?}");
        }
    }

    #[test]
    fn what_is_wrong_with_versions_is_said() {
        let other = version("v1", "").replace("mini", "maxi").replace("name: v1", "name: maxi-v1");
        for (documents, said) in [
            (canary("v2", true, 101), "101 is no percentage."),
            (version("../v1", ""), "`../v1` is no name of a version."),
            (canary("v2", true, 5) + &canary("v3", true, 5), "`v3` would be a second canary"),
            (version("v1", "") + &other, "There are versions of"),
        ] {
            let (_, problems) = loaded("", &documents);
            assert!(problems.iter().any(|problem| problem.contains(said)), "{said}: {problems:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_once() {
        for wrong in [", canaryDeployment: {enabled: true, trafficPercentage: x}", ", canaryDeployment: []"] {
            let (_, problems) = loaded("", &version("v1", wrong));
            let of_versions: Vec<_> = problems.iter().filter(|problem| problem.contains("ersion")).collect();
            assert!(of_versions.len() == 1 && of_versions[0].contains("cannot be read"), "{wrong}: {problems:?}");
        }
    }
}
