-- Who sent a message stands in an index that each message has anyway: one of its own, added by 0005, cost a page for each
-- session of a commit. Look-ups by sender pass over messages by this index alone. Versions before read and write as ever.
DROP INDEX messages_by_sender;
DROP INDEX messages_by_seq;
CREATE INDEX messages_by_seq ON messages (session_id, seq, ordinal, sender_id);
