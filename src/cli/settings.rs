//! Settings from their layers: built-in defaults, then the file, then the environment, then flags.
//!
//! The rule: a setting that cannot be used names where it came from. Secrets come from the environment or from a file of
//! their own, never from a flag.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::TimeDelta;
use clap::Args;
use serde::{Deserialize, Deserializer};

use super::exit::Exit;
use super::failure::Failure;
use crate::extract::{Credentials, DateFormat, Observer, Plan, Secret, Settings};
use crate::load::Destination;
use crate::model::AccountId;
use crate::pipeline::DEFAULT_SETTLE;

/// The settings file that is read when none is named and it exists.
const DEFAULT_FILE: &str = "phonetrail.toml";

/// The account's name where only an access token is given.
const OWN_ACCOUNT: &str = "me";

/// What every command that uses a destination takes.
#[derive(Args, Clone, Debug)]
pub(super) struct DestinationArgs {
    /// Directory or file:// URL of the table and the raw pages [env: PHONETRAIL_DESTINATION]
    #[arg(long, short, value_name = "DIR|URL")]
    destination: Option<Destination>,

    /// Settings file [env: PHONETRAIL_CONFIG] [default: phonetrail.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How the upstream is reached.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Upstream")]
pub(super) struct UpstreamArgs {
    /// Rate limits of the account's plan: pro, business or e.g. 5/s,15000/day [env: PHONETRAIL_PLAN] [default: pro]
    #[arg(long, value_name = "PLAN")]
    plan: Option<Plan>,

    /// The API with its version [env: PHONETRAIL_BASE_URL] [default: https://api.zoom.us/v2]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    /// Where access tokens are asked for [env: PHONETRAIL_OAUTH_URL] [default: https://zoom.us/oauth/token]
    #[arg(long, value_name = "URL")]
    oauth_url: Option<String>,

    /// Requests of the day to leave to other apps of the account [env: PHONETRAIL_RESERVE] [default: 0]
    #[arg(long, value_name = "COUNT")]
    reserve: Option<u32>,

    /// Stop after this many requests, with whole windows kept [env: PHONETRAIL_MAX_REQUESTS] [default: no limit]
    #[arg(long, value_name = "COUNT")]
    max_requests: Option<u64>,

    /// Records per page, 1 to 300 [env: PHONETRAIL_PAGE_SIZE] [default: 300]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=300))]
    page_size: Option<u16>,

    /// Form of days in requests: date or date_time [env: PHONETRAIL_DATE_FORMAT] [default: date]
    #[arg(long, value_name = "FORM", value_parser = date_format)]
    date_format: Option<DateFormat>,

    /// Hours after its end for which a day is read again [env: PHONETRAIL_SETTLE_HOURS] [default: 72]
    #[arg(long, value_name = "HOURS")]
    settle_hours: Option<u32>,
}

/// One layer of settings: the file's, or the environment's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    #[serde(default, deserialize_with = "parsed")]
    destination: Option<Destination>,
    account_id: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    access_token_file: Option<PathBuf>,
    base_url: Option<String>,
    oauth_url: Option<String>,
    plan: Option<Plan>,
    reserve: Option<u32>,
    max_requests: Option<u64>,
    page_size: Option<u16>,
    date_format: Option<DateFormat>,
    settle_hours: Option<u32>,
}

/// A setting that is missing or cannot be used.
#[derive(Debug, thiserror::Error)]
enum SettingError {
    #[error("cannot read the settings file {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the settings file {} cannot be used: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error("the environment variable {name} cannot be used: {reason}")]
    Variable { name: &'static str, reason: String },
    #[error("cannot read the file that {name} names, {}", path.display())]
    SecretFile {
        name: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("no {0} is set")]
    Missing(&'static str),
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        let hint = match &error {
            SettingError::Missing("destination") => "Give --destination, or set PHONETRAIL_DESTINATION.",
            SettingError::Missing(_) => {
                "Set PHONETRAIL_ACCOUNT_ID, PHONETRAIL_CLIENT_ID and PHONETRAIL_CLIENT_SECRET, or PHONETRAIL_ACCESS_TOKEN."
            }
            _ => "Correct it, then run again.",
        };
        Self::new(Exit::Configuration, &error, hint)
    }
}

/// The settings file and the environment, read.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    file: Layer,
    environment: Layer,
}

/// What a sync needs to know, resolved.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) account: AccountId,
    pub(super) credentials: Credentials,
    pub(super) settings: Settings,
    pub(super) settle: TimeDelta,
}

impl Resolved {
    /// What a run would use, without secrets.
    pub(super) fn describe(&self) -> String {
        let Settings { base_url, plan, page_size, .. } = &self.settings;
        format!("account {}, {base_url}, plan {plan}, {page_size} records a page", self.account)
    }
}

impl DestinationArgs {
    /// The destination, and the layers for everything else.
    pub(super) fn resolve(&self) -> Result<(Destination, Layers), Failure> {
        let layers = Layers::read(self.config.as_deref())?;
        let stored = || layers.environment.destination.clone().or_else(|| layers.file.destination.clone());
        let destination = self.destination.clone().or_else(stored).ok_or(SettingError::Missing("destination"))?;
        Ok((destination, layers))
    }
}

impl Layers {
    fn read(file: Option<&Path>) -> Result<Self, SettingError> {
        let named = file.map(Path::to_path_buf).or(variable("PHONETRAIL_CONFIG")?);
        let file = match named {
            Some(path) => read_file(&path)?,
            None if Path::new(DEFAULT_FILE).exists() => read_file(Path::new(DEFAULT_FILE))?,
            None => Layer::default(),
        };
        Ok(Self { file, environment: Layer::from_environment()? })
    }

    /// The upstream's settings, with `args` strongest. `observer` is told how reading goes.
    pub(super) fn upstream(self, args: &UpstreamArgs, observer: Observer) -> Result<Resolved, Failure> {
        let Self { file, environment } = self;
        let credentials = credentials(&file, &environment)?;
        let account = credentials.account_id().cloned().unwrap_or_else(|| AccountId::new(OWN_ACCOUNT));
        let defaults = Settings::default();
        let settings = Settings {
            base_url: first([args.base_url.clone(), environment.base_url, file.base_url], defaults.base_url),
            oauth_url: first([args.oauth_url.clone(), environment.oauth_url, file.oauth_url], defaults.oauth_url),
            plan: first([args.plan, environment.plan, file.plan], defaults.plan),
            reserve: first([args.reserve, environment.reserve, file.reserve], defaults.reserve),
            max_requests: args.max_requests.or(environment.max_requests).or(file.max_requests),
            page_size: first([args.page_size, environment.page_size, file.page_size], defaults.page_size),
            date_format: first([args.date_format, environment.date_format, file.date_format], defaults.date_format),
            observer,
            ..Settings::default()
        };
        let hours = [args.settle_hours, environment.settle_hours, file.settle_hours];
        let hours = hours.map(|hours| hours.map(|hours| TimeDelta::hours(hours.into())));
        Ok(Resolved { account, credentials, settings, settle: first(hours, DEFAULT_SETTLE) })
    }
}

impl Layer {
    fn from_environment() -> Result<Self, SettingError> {
        Ok(Self {
            destination: variable("PHONETRAIL_DESTINATION")?,
            account_id: variable("PHONETRAIL_ACCOUNT_ID")?,
            client_id: variable("PHONETRAIL_CLIENT_ID")?,
            client_secret_file: variable("PHONETRAIL_CLIENT_SECRET_FILE")?,
            access_token_file: variable("PHONETRAIL_ACCESS_TOKEN_FILE")?,
            base_url: variable("PHONETRAIL_BASE_URL")?,
            oauth_url: variable("PHONETRAIL_OAUTH_URL")?,
            plan: variable("PHONETRAIL_PLAN")?,
            reserve: variable("PHONETRAIL_RESERVE")?,
            max_requests: variable("PHONETRAIL_MAX_REQUESTS")?,
            page_size: variable("PHONETRAIL_PAGE_SIZE")?,
            date_format: text("PHONETRAIL_DATE_FORMAT")?
                .map(|text| date_format(&text))
                .transpose()
                .map_err(|reason| SettingError::Variable { name: "PHONETRAIL_DATE_FORMAT", reason })?,
            settle_hours: variable("PHONETRAIL_SETTLE_HOURS")?,
        })
    }
}

fn credentials(file: &Layer, environment: &Layer) -> Result<Credentials, SettingError> {
    let account_id = environment.account_id.as_ref().or(file.account_id.as_ref()).map(AccountId::new);
    let token_file = environment.access_token_file.as_ref().or(file.access_token_file.as_ref());
    if let Some(token) = secret("PHONETRAIL_ACCESS_TOKEN", "access_token_file", token_file)? {
        return Ok(Credentials::AccessToken { account_id, token });
    }
    let secret_file = environment.client_secret_file.as_ref().or(file.client_secret_file.as_ref());
    let client_id = environment.client_id.clone().or_else(|| file.client_id.clone());
    Ok(Credentials::ServerToServer {
        account_id: account_id.ok_or(SettingError::Missing("account id"))?,
        client_id: client_id.ok_or(SettingError::Missing("client id"))?,
        client_secret: secret("PHONETRAIL_CLIENT_SECRET", "client_secret_file", secret_file)?
            .ok_or(SettingError::Missing("client secret"))?,
    })
}

/// A secret from the environment, or else from the file that a setting names (without the line break at its end).
fn secret(name: &'static str, setting: &'static str, file: Option<&PathBuf>) -> Result<Option<Secret>, SettingError> {
    if let Some(text) = text(name)? {
        return Ok(Some(Secret::new(text)));
    }
    let read = |path: &PathBuf| match std::fs::read_to_string(path) {
        Ok(text) => Ok(Secret::new(text.trim_end_matches(['\n', '\r']))),
        Err(source) => Err(SettingError::SecretFile { name: setting, path: path.clone(), source }),
    };
    file.map(read).transpose()
}

fn read_file(path: &Path) -> Result<Layer, SettingError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingError::Unreadable { path: path.to_path_buf(), source })?;
    toml::from_str(&text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let at = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        SettingError::Malformed { path: path.to_path_buf(), reason: format!("{at}{}", error.message()) }
    })
}

/// The variable's text; an empty one counts as not set.
fn text(name: &'static str) -> Result<Option<String>, SettingError> {
    match std::env::var(name) {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(SettingError::Variable { name, reason: "it is not valid Unicode".to_owned() })
        }
    }
}

fn variable<T: FromStr<Err: std::fmt::Display>>(name: &'static str) -> Result<Option<T>, SettingError> {
    let parse = |text: String| {
        text.parse().map_err(|error: T::Err| SettingError::Variable { name, reason: format!("`{text}`: {error}") })
    };
    text(name)?.map(parse).transpose()
}

fn parsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Destination>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

fn date_format(text: &str) -> Result<DateFormat, String> {
    match text {
        "date" => Ok(DateFormat::Date),
        "date_time" => Ok(DateFormat::DateTime),
        _ => Err(format!("`{text}` is no form of days: give date or date_time")),
    }
}

fn first<T>(layers: [Option<T>; 3], default: T) -> T {
    layers.into_iter().flatten().next().unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_an_unknown_key_is_refused_by_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("phonetrail.toml");
        std::fs::write(&path, "plan = \"business\"\nplann = \"pro\"\n").unwrap();
        let error = read_file(&path).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("plann"), "{error}");

        std::fs::write(&path, "plan = \"fast\"\n").unwrap();
        let error = read_file(&path).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("fast"), "{error}");
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let layer = |plan: &str| Layer { plan: Some(plan.parse().unwrap()), ..token() };
        let layers = Layers { file: layer("3/s,3/day"), environment: layer("2/s,2/day") };
        let plan = |args: UpstreamArgs| layers.clone().upstream(&args, Observer::default()).unwrap().settings.plan;
        assert_eq!(plan(UpstreamArgs::default()).to_string(), "2/s,2/day");
        let args = UpstreamArgs { plan: Some("1/s,1/day".parse().unwrap()), ..UpstreamArgs::default() };
        assert_eq!(plan(args).to_string(), "1/s,1/day");
    }

    /// A layer that holds credentials, so that the rest can be resolved.
    fn token() -> Layer {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        Layer { access_token_file: Some(path), ..Layer::default() }
    }
}
