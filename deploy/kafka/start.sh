#!/bin/sh
# Starts Kafka with its administrator's password from the environment; formats an empty volume.
set -eu
umask 077

home=${KAFKA_HOME:-/opt/kafka}
settings=${KAFKA_SETTINGS:-/tmp/server.properties}
template=${KAFKA_TEMPLATE:-/opt/maestro/server.properties}
: "${KAFKA_CLUSTER_ID:?}" "${KAFKA_ADMIN_PASSWORD:?}"
# The controller listens on loopback alone, in the same process: its password need not be kept.
controller=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
security=org.apache.kafka.common.security

{
    cat "$template"
    printf '%s=%s.scram.ScramLoginModule required username="admin" password="%s";\n' \
        listener.name.client.scram-sha-256.sasl.jaas.config "$security" "$KAFKA_ADMIN_PASSWORD"
    printf '%s=%s.plain.PlainLoginModule required username="controller" password="%s" user_controller="%s";\n' \
        listener.name.controller.plain.sasl.jaas.config "$security" "$controller" "$controller"
} > "$settings"

"$home/bin/kafka-storage.sh" format --ignore-formatted --cluster-id "$KAFKA_CLUSTER_ID" \
    --config "$settings" --add-scram "SCRAM-SHA-256=[name=admin,password=$KAFKA_ADMIN_PASSWORD]"
exec "$home/bin/kafka-server-start.sh" "$settings"
