"""The database of the published original, as its documentation prints it."""

SCHEMA = """
CREATE TABLE service_api_keys (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    key_name VARCHAR(100) UNIQUE NOT NULL,
    api_key VARCHAR(255) UNIQUE NOT NULL,
    active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMPTZ DEFAULT NOW() NOT NULL,
    expires_at TIMESTAMPTZ
);
CREATE INDEX idx_service_api_keys_active ON service_api_keys(api_key) WHERE active = true;
CREATE TABLE tasks (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id VARCHAR(255) NOT NULL,
    title VARCHAR(500) NOT NULL,
    description TEXT,
    status VARCHAR(50) NOT NULL DEFAULT 'pending',
    priority VARCHAR(50),
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    completed_at TIMESTAMPTZ,
    due_date TIMESTAMPTZ
);
CREATE INDEX idx_tasks_user_id ON tasks(user_id);
CREATE INDEX idx_tasks_user_status ON tasks(user_id, status);
"""

ALEMBIC = """
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO alembic_version VALUES ('3d76e0c7a711');
"""

KEY = "sk_prod_" + "ab" * 32
TASK = "550e8400-e29b-41d4-a716-446655440000"

ROWS = f"""
INSERT INTO service_api_keys (key_name, api_key, created_at)
VALUES ('cat-house-prod', '{KEY}', '2025-01-01Z');
INSERT INTO tasks VALUES
    ('{TASK}', 'user_123', 'Feed cat', 'Twice', 'completed', 'high',
        '2025-11-12 10:30:15Z', '2025-11-13 08:00:00Z', '2025-11-20 10:00:00Z'),
    (gen_random_uuid(), 'user_123', 'Brush cat', NULL, 'pending', NULL,
        '2025-11-14 10:30:15Z', NULL, NULL);
"""
