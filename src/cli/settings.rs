//! Settings from their layers: built-in defaults, then the file, then the environment, then flags.
//!
//! The rule: a setting that cannot be used names where it came from. Secrets come from the environment or from a file of
//! their own, never from a flag.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::TimeDelta;
use clap::Args;
use serde::{Deserialize, Deserializer};

use super::account_tables::{self, AccountTable};
use super::exit::Exit;
use super::failure::Failure;
use crate::extract::{Credentials, DateFormat, Plan, Secret, Settings};
use crate::load::{Destination, InvalidDestination};
use crate::model::AccountId;
use crate::pipeline::DEFAULT_SETTLE;

/// The settings file that is read when none is named and it exists.
const DEFAULT_FILE: &str = "phonetrail.toml";

/// The account's name where only an access token is given.
const OWN_ACCOUNT: &str = "me";

/// What every command that uses a destination takes.
#[derive(Args, Clone, Debug)]
pub(super) struct DestinationArgs {
    /// Directory or URL (s3, gs, az, abfs) of table and raw pages [env: PHONETRAIL_DESTINATION]
    #[arg(long, short, value_name = "DIR|URL")]
    // Parsed later: what is given may hold what should not be repeated.
    destination: Option<String>,

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

/// One layer of settings: the file's, one of its accounts', or the environment's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layer {
    #[serde(default, deserialize_with = "parsed")]
    pub(super) destination: Option<Destination>,
    pub(super) account_id: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret_file: Option<PathBuf>,
    pub(super) access_token_file: Option<PathBuf>,
    base_url: Option<String>,
    oauth_url: Option<String>,
    plan: Option<Plan>,
    reserve: Option<u32>,
    max_requests: Option<u64>,
    page_size: Option<u16>,
    date_format: Option<DateFormat>,
    settle_hours: Option<u32>,
    /// The file's accounts, where it has several.
    #[serde(default)]
    pub(super) account: Vec<AccountTable>,
}

/// A setting that is missing or cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingError {
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
    #[error("{flag} cannot be used: {reason}")]
    Destination { flag: &'static str, reason: InvalidDestination },
    #[error("no {0} is set")]
    Missing(&'static str),
    #[error("no account `{id}` is set")]
    NoSuchAccount { id: String },
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        let exit = match &error {
            SettingError::Destination { .. } => Exit::Usage,
            _ => Exit::Configuration,
        };
        let hint = match &error {
            SettingError::Missing("destination") => "Give --destination, or set PHONETRAIL_DESTINATION.",
            SettingError::Missing(_) => {
                "Set PHONETRAIL_ACCOUNT_ID, PHONETRAIL_CLIENT_ID and PHONETRAIL_CLIENT_SECRET, or PHONETRAIL_ACCESS_TOKEN."
            }
            SettingError::NoSuchAccount { .. } => {
                return Self::new(Exit::Usage, &error, "Give --account one of those in the settings file.");
            }
            _ => "Correct it, then run again.",
        };
        Self::new(exit, &error, hint)
    }
}

/// The settings file and the environment, read.
#[derive(Clone, Debug)]
pub(super) struct Layers {
    file: Layer,
    /// Those of the file, each over the rest of it.
    accounts: Vec<Layer>,
    environment: Layer,
}

/// The accounts to work on.
#[derive(Debug)]
pub(super) enum Accounts {
    /// The only one that is set.
    One(Box<Resolved>),
    /// Some of several, in the order of the file. One whose secret cannot be read is no other's concern.
    Several(Vec<(AccountId, Result<Resolved, Failure>)>),
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
        let layers = self.layers()?;
        Ok((self.destination(&layers)?, layers))
    }

    /// The layers of settings.
    pub(super) fn layers(&self) -> Result<Layers, Failure> {
        Ok(Layers::read(self.config.as_deref())?)
    }

    /// The destination that is given, or else that of `layers`.
    pub(super) fn destination(&self, layers: &Layers) -> Result<Destination, Failure> {
        let stored = || layers.environment.destination.clone().or_else(|| layers.file.destination.clone());
        let given = self.destination.as_deref().map(|text| flag_destination("--destination", text)).transpose()?;
        Ok(given.or_else(stored).ok_or(SettingError::Missing("destination"))?)
    }
}

impl Layers {
    fn read(file: Option<&Path>) -> Result<Self, SettingError> {
        let named = file.map(Path::to_path_buf).or(variable("PHONETRAIL_CONFIG")?);
        let (file, accounts) = match named {
            Some(path) => read_file(&path)?,
            None if Path::new(DEFAULT_FILE).exists() => read_file(Path::new(DEFAULT_FILE))?,
            None => Default::default(),
        };
        Ok(Self { file, accounts, environment: Layer::from_environment()? })
    }

    /// The accounts that `picked` names, or all; `args` are strongest, and hold for each.
    pub(super) fn accounts(self, args: &UpstreamArgs, picked: &[String]) -> Result<Accounts, Failure> {
        let Self { file, mut accounts, environment } = self;
        if !accounts.is_empty() {
            account_tables::refuse_variables(|name| Ok(text(name)?.is_some()))?;
        }
        if accounts.len() > 1 {
            let resolve = |layer: Layer| Ok((layer.account()?, environment.clone().over(layer).resolve(args)));
            let chosen = account_tables::pick(accounts, picked, |layer| layer.account_id.as_deref())?;
            return chosen.into_iter().map(resolve).collect::<Result<_, Failure>>().map(Accounts::Several);
        }
        let resolved = environment.over(accounts.pop().unwrap_or(file)).resolve(args)?;
        let mut chosen = account_tables::pick(vec![resolved], picked, |resolved| Some(resolved.account.as_str()))?;
        Ok(Accounts::One(Box::new(chosen.remove(0))))
    }
}

impl Layer {
    fn from_environment() -> Result<Self, SettingError> {
        Ok(Self {
            destination: destination("PHONETRAIL_DESTINATION")?,
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
            account: Vec::new(),
        })
    }

    /// This layer, with what it leaves open from a weaker one.
    pub(super) fn over(self, weaker: Self) -> Self {
        Self {
            destination: self.destination.or(weaker.destination),
            account_id: self.account_id.or(weaker.account_id),
            client_id: self.client_id.or(weaker.client_id),
            client_secret_file: self.client_secret_file.or(weaker.client_secret_file),
            access_token_file: self.access_token_file.or(weaker.access_token_file),
            base_url: self.base_url.or(weaker.base_url),
            oauth_url: self.oauth_url.or(weaker.oauth_url),
            plan: self.plan.or(weaker.plan),
            reserve: self.reserve.or(weaker.reserve),
            max_requests: self.max_requests.or(weaker.max_requests),
            page_size: self.page_size.or(weaker.page_size),
            date_format: self.date_format.or(weaker.date_format),
            settle_hours: self.settle_hours.or(weaker.settle_hours),
            account: self.account,
        }
    }

    fn account(&self) -> Result<AccountId, SettingError> {
        self.account_id.as_ref().map(AccountId::new).ok_or(SettingError::Missing("account id"))
    }

    fn resolve(self, args: &UpstreamArgs) -> Result<Resolved, Failure> {
        let credentials = self.credentials()?;
        let account = credentials.account_id().cloned().unwrap_or_else(|| AccountId::new(OWN_ACCOUNT));
        let defaults = Settings::default();
        let settings = Settings {
            base_url: args.base_url.clone().or(self.base_url).unwrap_or(defaults.base_url),
            oauth_url: args.oauth_url.clone().or(self.oauth_url).unwrap_or(defaults.oauth_url),
            plan: args.plan.or(self.plan).unwrap_or(defaults.plan),
            reserve: args.reserve.or(self.reserve).unwrap_or(defaults.reserve),
            max_requests: args.max_requests.or(self.max_requests),
            page_size: args.page_size.or(self.page_size).unwrap_or(defaults.page_size),
            date_format: args.date_format.or(self.date_format).unwrap_or(defaults.date_format),
            ..Settings::default()
        };
        let hours = args.settle_hours.or(self.settle_hours);
        let settle = hours.map_or(DEFAULT_SETTLE, |hours| TimeDelta::hours(hours.into()));
        Ok(Resolved { account, credentials, settings, settle })
    }

    fn credentials(&self) -> Result<Credentials, SettingError> {
        let token_file = self.access_token_file.as_ref();
        if let Some(token) = secret("PHONETRAIL_ACCESS_TOKEN", "access_token_file", token_file)? {
            return Ok(Credentials::AccessToken { account_id: self.account().ok(), token });
        }
        let secret_file = self.client_secret_file.as_ref();
        Ok(Credentials::ServerToServer {
            account_id: self.account()?,
            client_id: self.client_id.clone().ok_or(SettingError::Missing("client id"))?,
            client_secret: secret("PHONETRAIL_CLIENT_SECRET", "client_secret_file", secret_file)?
                .ok_or(SettingError::Missing("client secret"))?,
        })
    }
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

/// The file's own settings, and those of each of its accounts.
fn read_file(path: &Path) -> Result<(Layer, Vec<Layer>), SettingError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| SettingError::Unreadable { path: path.to_path_buf(), source })?;
    let malformed = |at: Option<usize>, reason: &str| {
        let line = at.map(|at| text[..at].matches('\n').count() + 1);
        let at = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        SettingError::Malformed { path: path.to_path_buf(), reason: format!("{at}{reason}") }
    };
    let file: Layer =
        toml::from_str(&text).map_err(|error| malformed(error.span().map(|span| span.start), error.message()))?;
    account_tables::layers(file).map_err(|flaw| malformed(flaw.at, &flaw.reason))
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

/// The destination that a flag gives. What is wrong with it is told without its text.
pub(super) fn flag_destination(flag: &'static str, text: &str) -> Result<Destination, SettingError> {
    text.parse().map_err(|reason| SettingError::Destination { flag, reason })
}

/// The variable's destination. What is wrong with it is told without its text.
fn destination(name: &'static str) -> Result<Option<Destination>, SettingError> {
    let invalid = |error: InvalidDestination| SettingError::Variable { name, reason: error.to_string() };
    text(name)?.map(|text| text.parse()).transpose().map_err(invalid)
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
        let layers = Layers { file: layer("3/s,3/day"), accounts: Vec::new(), environment: layer("2/s,2/day") };
        let plan = |args: UpstreamArgs| match layers.clone().accounts(&args, &[]).unwrap() {
            Accounts::One(resolved) => resolved.settings.plan,
            Accounts::Several(_) => panic!("there is only one account"),
        };
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
