-- When a human who had left their last space was made active again: tokens that were issued before are void.
ALTER TABLE humans ADD COLUMN revived_at BIGINT;
