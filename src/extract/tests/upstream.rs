//! An upstream that answers by a script, and notes what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::NaiveDate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::extract::*;
use crate::model::{AccountId, Scope, Window, WindowRead};

#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn is_token(&self) -> bool {
        self.path == "/oauth/token"
    }

    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

pub(super) struct Told {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// How many bytes fewer are sent than were announced.
    pub(super) missing: usize,
}

impl Told {
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

pub(super) fn told(status: u16, body: impl Into<Vec<u8>>) -> Told {
    Told { status, headers: Vec::new(), body: body.into(), missing: 0 }
}

/// A page of records, each a JSON text.
pub(super) fn page(records: &[&str], total: Option<u64>, next: &str) -> Told {
    let total = total.map_or(String::new(), |total| format!(r#""total_records":{total},"#));
    told(200, format!(r#"{{{total}"next_page_token":"{next}","operation_logs":[{}]}}"#, records.join(",")))
}

type Script = dyn Fn(&Asked, usize) -> Told + Send + Sync;

/// Answers by the script, which is told how many requests of the same kind (token or page) came before.
pub(super) struct Upstream {
    pub(super) origin: String,
    pub(super) seen: Arc<Mutex<Vec<Asked>>>,
}

impl Upstream {
    pub(super) async fn start(script: impl Fn(&Asked, usize) -> Told + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, script): (_, Arc<Script>) = (Arc::clone(&seen), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&log), Arc::clone(&script)));
            }
        });
        Self { origin, seen }
    }

    /// An upstream that gives tokens freely; `script` answers the requests for pages.
    pub(super) async fn of_pages(script: impl Fn(&Asked, usize) -> Told + Send + Sync + 'static) -> Self {
        Self::start(move |asked, n| if asked.is_token() { token(n) } else { script(asked, n) }).await
    }

    pub(super) fn settings(&self) -> Settings {
        Settings {
            base_url: format!("{}/v2", self.origin),
            oauth_url: format!("{}/oauth/token", self.origin),
            plan: "1000/s,100000/day".parse().unwrap(),
            retries: Retries {
                tries_per_page: 3,
                first_delay: Duration::from_millis(1),
                max_delay: Duration::from_millis(5),
                throttle_pause: Duration::from_millis(20),
                ..Retries::default()
            },
            ..Settings::default()
        }
    }

    pub(super) fn source(&self) -> Source {
        Source::try_new(credentials(), self.settings()).unwrap()
    }

    pub(super) fn pages(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().iter().filter(|asked| !asked.is_token()).cloned().collect()
    }

    pub(super) fn tokens(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().iter().filter(|asked| asked.is_token()).cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Asked>>>, script: Arc<Script>) -> Option<()> {
    loop {
        let asked = read_request(&mut stream).await?;
        let told = {
            let mut seen = seen.lock().unwrap();
            let before = seen.iter().filter(|other| other.is_token() == asked.is_token()).count();
            seen.push(asked.clone());
            script(&asked, before)
        };
        let mut head = format!("HTTP/1.1 {} Scripted\r\ncontent-length: {}\r\n", told.status, told.body.len());
        for (name, value) in &told.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await.ok()?;
        stream.write_all(&told.body[..told.body.len() - told.missing]).await.ok()?;
        if told.missing > 0 {
            return None;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let (method, rest) = lines.next()?.split_once(' ')?;
    let url = url::Url::parse(&format!("http://x{}", rest.split(' ').next()?)).unwrap();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        method: method.to_owned(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}

pub(super) fn token(n: usize) -> Told {
    told(200, format!(r#"{{"access_token":"token-{n}","token_type":"bearer","expires_in":3600}}"#))
}

pub(super) fn credentials() -> Credentials {
    Credentials::ServerToServer {
        account_id: AccountId::new("account"),
        client_id: "client".to_owned(),
        client_secret: Secret::new("hush"),
    }
}

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn window(from: &str, to: &str) -> Window {
    Window::try_new(day(from), day(to), Scope::All).unwrap()
}

pub(super) fn february() -> Window {
    window("2022-02-01", "2022-02-28")
}

/// The texts of all records read.
pub(super) fn bodies(read: &WindowRead) -> String {
    read.pages.iter().map(|page| page.text().into_owned()).collect()
}
