-- What keeps look-ups short, however long a session or a space has been there.

-- Lists of a space's sessions, in their order; the status, so that counting reads the index alone.
DROP INDEX sessions_by_activity;
CREATE INDEX sessions_by_activity ON sessions (space_id, updated_at, id, status);

-- What waits for an answer in a session, in order.
DROP INDEX messages_pending;
CREATE INDEX messages_pending ON messages (session_id, seq) WHERE status = 'Pending';

-- What a session was called at a time stands in these events.
CREATE INDEX events_titles ON events (session_id, seq) WHERE kind IN ('session.created', 'session.updated');
