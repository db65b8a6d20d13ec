//! A connection to Redis: to a server, or to a cluster with sharded pub/sub.

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

/// Limits for connecting and for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Most channels in one command.
const CHANNELS: usize = 512;
/// Most concurrent commands on a cluster, where each goes to the node that has its slot.
const MAX_CONCURRENT: usize = 64;

/// Called with push messages of the server, and when the connection ends. Must not block.
pub(super) type OnPush = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// The address of a server or cluster.
pub struct Target {
    address: Address,
    /// Host and port for the log, without the password.
    label: String,
}

enum Address {
    Server(Box<ConnectionInfo>),
    Cluster(Vec<ConnectionInfo>),
}

impl Target {
    /// Reads `redis://[USER:PASSWORD@]HOST[:PORT][/DB]`, `rediss://…` with TLS, or for a cluster
    /// `redis+cluster://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…]` and `rediss+cluster://…`. The error contains no part of
    /// the URL, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("must be a URL such as redis://127.0.0.1:6379")?;
        let (scheme, is_cluster) = match scheme {
            "redis" | "rediss" => (scheme, false),
            "redis+cluster" => ("redis", true),
            "rediss+cluster" => ("rediss", true),
            _ => return Err("must begin with redis://, rediss://, redis+cluster:// or rediss+cluster://".to_owned()),
        };
        let (credentials, hosts) = match rest.rsplit_once('@') {
            Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
            None => (String::new(), rest),
        };
        if !is_cluster {
            let info = info(&format!("{scheme}://{rest}"))?;
            return Ok(Self { label: info.addr().to_string(), address: Address::Server(Box::new(info)) });
        }
        let hosts = hosts.trim_end_matches('/');
        let infos = hosts.split(',').map(|host| info(&format!("{scheme}://{credentials}{}", host.trim())));
        let infos = infos.collect::<Result<Vec<_>, _>>()?;
        let label = infos.iter().map(|info| info.addr().to_string()).collect::<Vec<_>>().join(",");
        Ok(Self { address: Address::Cluster(infos), label })
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Connects; `on_push` is called with push messages.
    pub(super) async fn connect(&self, on_push: OnPush) -> RedisResult<Connection> {
        let push = move |info: PushInfo| -> Result<(), ()> {
            on_push(info);
            Ok(())
        };
        let connecting = async {
            match &self.address {
                Address::Server(info) => {
                    let config = AsyncConnectionConfig::new()
                        .set_connection_timeout(Some(CONNECT_TIMEOUT))
                        .set_response_timeout(Some(ANSWER_TIMEOUT))
                        .set_push_sender(push);
                    let client = Client::open(ConnectionInfo::clone(info))?;
                    let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
                    Ok(Connection::Server(connection))
                }
                Address::Cluster(infos) => {
                    let client = ClusterClientBuilder::new(infos.clone())
                        .use_protocol(ProtocolVersion::RESP3)
                        .connection_timeout(CONNECT_TIMEOUT)
                        .response_timeout(ANSWER_TIMEOUT)
                        .push_sender(push)
                        .build()?;
                    Ok(Connection::Cluster(client.get_async_connection().await?))
                }
            }
        };
        within(CONNECT_TIMEOUT * 2, connecting).await
    }
}

fn info(url: &str) -> Result<ConnectionInfo, String> {
    let info = url.into_connection_info().map_err(|_| "must be a URL such as redis://127.0.0.1:6379".to_owned())?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings))
}

/// Whether a retry can't succeed, because the server rejects the settings.
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
    /// Runs commands: in order on a server, concurrently on a cluster.
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
                    answers.buffered(MAX_CONCURRENT).try_collect().await
                }
            }
        };
        within(ANSWER_TIMEOUT * 2, running).await
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

    /// Subscribes to channels (`subscribe`), or unsubscribes.
    pub(super) async fn subscribe(&mut self, channels: Vec<String>, subscribe: bool) -> RedisResult<()> {
        match self {
            Self::Server(connection) => {
                for group in channels.chunks(CHANNELS) {
                    if subscribe {
                        within(ANSWER_TIMEOUT * 2, connection.subscribe(group)).await?;
                    } else {
                        within(ANSWER_TIMEOUT * 2, connection.unsubscribe(group)).await?;
                    }
                }
                Ok(())
            }
            Self::Cluster(connection) => {
                let answers = stream::iter(channels).map(|channel: String| {
                    let mut connection = connection.clone();
                    async move {
                        if subscribe {
                            within(ANSWER_TIMEOUT * 2, connection.ssubscribe(channel)).await
                        } else {
                            within(ANSWER_TIMEOUT * 2, connection.sunsubscribe(channel)).await
                        }
                    }
                });
                answers.buffer_unordered(MAX_CONCURRENT).try_collect().await
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
        Err(_) => Err((ErrorKind::Io, "no response within the time limit").into()),
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
    fn the_error_of_a_bad_url_has_no_password() {
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
