//! Where Redis is, and one connection to it: a server, or a cluster with sharded pub/sub.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo as _, ProtocolVersion, PushInfo,
    RedisError, RedisResult, Value, cmd,
};
use std::sync::Arc;
use std::time::Duration;

/// How long a connection may take to be made, and an answer to come.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Most channels in one command.
const CHANNELS: usize = 512;
/// Most commands under way on a cluster, where each goes to the node that has its slot.
const UNDER_WAY: usize = 64;

/// Called with what the server sends unasked, and when the connection ends. Must not block.
pub(super) type OnPush = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// Where Redis is.
pub struct Target {
    place: Place,
    /// Host and port for the log, never a password.
    label: String,
}

enum Place {
    Server(Box<ConnectionInfo>),
    Cluster(Vec<ConnectionInfo>),
}

impl Target {
    /// Reads `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, `rediss://…` with TLS, or for a cluster
    /// `redis+cluster://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…]` and `rediss+cluster://…`. The error names no part of
    /// the URL, in which there may be a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("is no URL such as redis://127.0.0.1:6379")?;
        let (scheme, is_cluster) = match scheme {
            "redis" | "rediss" => (scheme, false),
            "redis+cluster" => ("redis", true),
            "rediss+cluster" => ("rediss", true),
            _ => return Err("must begin with redis://, rediss://, redis+cluster:// or rediss+cluster://".to_owned()),
        };
        let (credentials, places) = match rest.rsplit_once('@') {
            Some((credentials, places)) => (format!("{credentials}@"), places),
            None => (String::new(), rest),
        };
        if !is_cluster {
            let info = info(&format!("{scheme}://{rest}"))?;
            return Ok(Self { label: info.addr().to_string(), place: Place::Server(Box::new(info)) });
        }
        let places = places.trim_end_matches('/');
        let infos = places.split(',').map(|place| info(&format!("{scheme}://{credentials}{}", place.trim())));
        let infos = infos.collect::<Result<Vec<_>, _>>()?;
        let label = infos.iter().map(|info| info.addr().to_string()).collect::<Vec<_>>().join(",");
        Ok(Self { place: Place::Cluster(infos), label })
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Connects; `on_push` hears what comes unasked.
    pub(super) async fn connect(&self, on_push: OnPush) -> RedisResult<Connection> {
        let push = move |info: PushInfo| -> Result<(), ()> {
            on_push(info);
            Ok(())
        };
        let connecting = async {
            match &self.place {
                Place::Server(info) => {
                    let config = AsyncConnectionConfig::new()
                        .set_connection_timeout(Some(CONNECT_WITHIN))
                        .set_response_timeout(Some(ANSWER_WITHIN))
                        .set_push_sender(push);
                    let client = Client::open(ConnectionInfo::clone(info))?;
                    let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
                    Ok(Connection::Server(connection))
                }
                Place::Cluster(infos) => {
                    let client = ClusterClientBuilder::new(infos.clone())
                        .use_protocol(ProtocolVersion::RESP3)
                        .connection_timeout(CONNECT_WITHIN)
                        .response_timeout(ANSWER_WITHIN)
                        .push_sender(push)
                        .build()?;
                    Ok(Connection::Cluster(client.get_async_connection().await?))
                }
            }
        };
        within(CONNECT_WITHIN * 2, connecting).await
    }
}

fn info(url: &str) -> Result<ConnectionInfo, String> {
    let info = url.into_connection_info().map_err(|_| "is no URL such as redis://127.0.0.1:6379".to_owned())?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings))
}

/// Whether trying again is no use: the settings don't fit the server.
pub(super) fn is_lasting(error: &RedisError) -> bool {
    let kinds = [ErrorKind::AuthenticationFailed, ErrorKind::InvalidClientConfig, ErrorKind::RESP3NotSupported];
    kinds.contains(&error.kind()) || matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"))
}

/// One connection. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Runs commands, in order on a server; on a cluster each goes its own way.
    pub(super) async fn run(&mut self, commands: Vec<Cmd>) -> RedisResult<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let running = async {
            match self {
                Self::Server(connection) => {
                    let mut pipe = redis::Pipeline::with_capacity(commands.len());
                    for command in commands {
                        pipe.add_command(command);
                    }
                    pipe.query_async(connection).await
                }
                Self::Cluster(connection) => {
                    let answers = stream::iter(commands).map(|command: Cmd| {
                        let mut connection = connection.clone();
                        async move { command.query_async(&mut connection).await }
                    });
                    answers.buffered(UNDER_WAY).try_collect().await
                }
            }
        };
        within(ANSWER_WITHIN * 2, running).await
    }

    /// The command that publishes a message.
    pub(super) fn publish(&self, channel: &str, message: &[u8]) -> Cmd {
        let mut command = cmd(match self {
            Self::Server(_) => "PUBLISH",
            Self::Cluster(_) => "SPUBLISH",
        });
        command.arg(channel).arg(message);
        command
    }

    /// Listens to channels (`listen`), or no longer.
    pub(super) async fn subscribe(&mut self, channels: Vec<String>, listen: bool) -> RedisResult<()> {
        match self {
            Self::Server(connection) => {
                for group in channels.chunks(CHANNELS) {
                    if listen {
                        within(ANSWER_WITHIN * 2, connection.subscribe(group)).await?;
                    } else {
                        within(ANSWER_WITHIN * 2, connection.unsubscribe(group)).await?;
                    }
                }
                Ok(())
            }
            Self::Cluster(connection) => {
                let answers = stream::iter(channels).map(|channel: String| {
                    let mut connection = connection.clone();
                    async move {
                        if listen {
                            within(ANSWER_WITHIN * 2, connection.ssubscribe(channel)).await
                        } else {
                            within(ANSWER_WITHIN * 2, connection.sunsubscribe(channel)).await
                        }
                    }
                });
                answers.buffer_unordered(UNDER_WAY).try_collect().await
            }
        }
    }

    /// Fails unless the server answers.
    pub(super) async fn ping(&mut self) -> RedisResult<()> {
        self.run(vec![cmd("PING")]).await.map(|_| ())
    }
}

async fn within<T>(limit: Duration, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err((ErrorKind::Io, "no answer in time").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_servers_and_clusters_are_read() {
        let label = |url: &str| Target::parse(url).map(|target| target.label);
        assert_eq!(label("redis://10.0.0.1"), Ok("10.0.0.1:6379".to_owned()));
        assert_eq!(label("redis://:secret@10.0.0.1:7000/2"), Ok("10.0.0.1:7000".to_owned()));
        assert_eq!(label("rediss://u:secret@redis.example.org:1"), Ok("redis.example.org:1".to_owned()));
        assert_eq!(label("redis+cluster://u:p@a:1,b:2"), Ok("a:1,b:2".to_owned()));
        assert_eq!(label("rediss+cluster://a:1/"), Ok("a:1".to_owned()));
    }

    #[test]
    fn bad_urls_are_refused_without_their_password() {
        for url in [
            "",
            "redis",
            "http://a",
            "redis://",
            "redis://:hunter2@",
            "redis://u:hunter2@a:port",
            "redis+cluster://a:1,,",
        ] {
            let error = Target::parse(url).err().unwrap_or_else(|| panic!("{url:?} is refused"));
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
