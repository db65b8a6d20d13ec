//! The server of the protocol: what clients list, calls, and tasks for clients that have them.

use super::answer;
use super::progress::held;
use super::questions::{State, Waiting};
use super::tools::{self, Agent, Called, Reply, ToolResult};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams, ContentBlock, CreateTaskResult,
    GetTaskParams, GetTaskResult, Implementation, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool, UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskExit, TaskManager, TaskOptions};
use rmcp::{ErrorData, RoleServer, ServerHandler};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a task may wait for its answer.
const TASK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
const POLL: Duration = Duration::from_secs(2);

/// How long a call waits for the hub to take note that the answer was taken.
const ACKNOWLEDGING: Duration = Duration::from_secs(5);
/// Of a call that the hub keeps too long.
const LATE: &str = "The hub did not reply in time. Call again with the same arguments, 'key' included.";

/// A call does not wait longer for an answer, nor for the hub's replies before that.
const LIMIT: Duration = Duration::from_millis(49_500);
/// How long a call waits for the question to be sent, however short it is to wait for the answer.
const SENDING: Duration = Duration::from_secs(5);

const INSTRUCTIONS: &str = "Hiloop asks people and brings their answers. Before an action that cannot be undone, or when \
    only a person knows the answer, call ask_human. Go on only if its result has approved: true. A rejection, an \
    expired or cancelled question, an error and a pending question are no approval. On state 'pending' call \
    await_answer with the key of the result, as often as it takes. Messages are encrypted on this machine.";

/// The server of one client.
pub(super) struct Server {
    /// The agent, or the setting that is wrong.
    agent: Arc<Result<Agent, String>>,
    tools: Vec<Tool>,
    tasks: TaskManager,
}

impl Server {
    pub(super) fn new(agent: Result<Agent, String>) -> Self {
        Self { agent: Arc::new(agent), tools: tools::definitions(), tasks: TaskManager::new() }
    }

    /// A task that waits until the question is over.
    fn task(&self, waiting: Arc<Waiting>) -> CallToolResponse {
        let agent = Arc::clone(&self.agent);
        let options = TaskOptions::new()
            .with_ttl_ms(u64::try_from(TASK_LIFE.as_millis()).ok())
            .with_poll_interval_ms(u64::try_from(POLL.as_millis()).unwrap_or(u64::MAX))
            .with_status_message("Waiting for the answer of a person");
        let task = self.tasks.spawn(options, |context| {
            Box::pin(async move {
                tokio::select! {
                    state = waiting.over() => Ok(result(taken(&agent, &waiting, &state).await)),
                    // The question stays, for await_answer.
                    () = context.cancelled() => Err(TaskExit::Cancelled),
                }
            })
        });
        CreateTaskResult::new(task).into()
    }
}

/// The reply for a question, whose outcome is taken with it.
async fn taken(agent: &Result<Agent, String>, waiting: &Waiting, state: &State) -> ToolResult {
    if let (Ok(agent), State::Settled(..)) = (agent, state) {
        let acknowledged = tokio::time::timeout(ACKNOWLEDGING, waiting.acknowledge(&agent.client)).await;
        // The answer is verified all the same. The hub shows it as not taken.
        match acknowledged {
            Ok(Ok(())) => {}
            Ok(Err(error)) => crate::cli::print::problem(&format!("hiloop: {error}")),
            Err(_) => crate::cli::print::problem("hiloop: the hub does not reply: the answer is not acknowledged"),
        }
    }
    answer::reply(waiting, state)
}

/// Whether the client takes a task for a result. Versions with a handshake have no such results.
fn has_tasks(context: &RequestContext<RoleServer>) -> bool {
    let version = context.protocol_version().is_some_and(|version| !version.has_initialize());
    version && context.client_capabilities().is_some_and(|capabilities| capabilities.supports_tasks())
}

fn result(reply: ToolResult) -> CallToolResult {
    match reply {
        Ok(Reply { structured, text }) => {
            let mut result = CallToolResult::structured(structured);
            result.content = vec![ContentBlock::text(text)];
            result
        }
        Err(problem) => CallToolResult::error(vec![ContentBlock::text(problem)]),
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tasks().build())
            .with_server_info(
                Implementation::new("hiloop", env!("CARGO_PKG_VERSION"))
                    .with_title("Hiloop")
                    .with_description("Ask people, end-to-end encrypted"),
            )
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let unknown = || ErrorData::invalid_params(format!("Unknown tool: {}", request.name), None);
        if self.get_tool(&request.name).is_none() {
            return Err(unknown());
        }
        let agent = match self.agent.as_ref() {
            Ok(agent) => agent,
            Err(problem) => return Ok(result(Err(problem.clone())).into()),
        };
        let started = Instant::now();
        let call = Box::pin(tools::call(agent, &request.name, request.arguments, &context));
        let called = tokio::select! {
            called = call => called,
            () = tokio::time::sleep(LIMIT) => return Ok(result(Err(LATE.to_owned())).into()),
            // A request that was cancelled gets no reply.
            () = context.ct.cancelled() => return Ok(result(Err(LATE.to_owned())).into()),
        };
        let Some(called) = called else { return Err(unknown()) };
        let (waiting, wait) = match called {
            Called::Replied(reply) => return Ok(result(reply).into()),
            Called::Waits(waiting, wait) => (waiting, wait),
        };
        if wait.is_none() && has_tasks(&context) {
            return Ok(self.task(waiting));
        }
        // The handle of a question that is at the hub says more.
        let message = "Waiting for the answer of a person";
        if matches!(waiting.state(), State::Asking) {
            held(&context, started, SENDING, message, waiting.sent()).await;
        }
        // With what finding the question took.
        let wait = wait.unwrap_or_else(tools::usual_wait).min(LIMIT.saturating_sub(started.elapsed()));
        let state = held(&context, started, wait, message, waiting.over()).await;
        let state = state.unwrap_or_else(|| waiting.state());
        Ok(result(taken(&self.agent, &waiting, &state).await).into())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.tasks.get_task(&request.task_id).map(GetTaskResult::new)
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, [])
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }
}
