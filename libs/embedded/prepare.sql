-- The admin role (makes roles and schemas, no superuser) and the database that it owns.
-- Run by a superuser; may be run again.
\set ON_ERROR_STOP on
\getenv admin_password ADMIN_PASSWORD
SELECT 'CREATE ROLE maestro' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'maestro') \gexec
ALTER ROLE maestro LOGIN CREATEROLE CREATEDB NOSUPERUSER PASSWORD :'admin_password';
-- Lets it act as the roles it makes: schemas belong to roles that nobody logs in as.
ALTER ROLE maestro SET createrole_self_grant = 'set, inherit';
SELECT 'CREATE DATABASE maestro OWNER maestro'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'maestro') \gexec
REVOKE ALL ON DATABASE maestro FROM PUBLIC;
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
