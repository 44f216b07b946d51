# Kong with the plugin server and its plugins. Both images must be of one kind: for an Alpine-based Kong, build with
#   --build-arg KONG_IMAGE=… --build-arg NODE_IMAGE=node:24-alpine
ARG KONG_IMAGE=kong:3.9
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /opt/kong-ts-pluginserver
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY build build
COPY bin bin
COPY src src
COPY plugins plugins
RUN npm run build
# What stays is what runs: no development dependencies, no install scripts.
RUN npm prune --omit=dev --ignore-scripts

FROM ${KONG_IMAGE}
USER root
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /opt/kong-ts-pluginserver/package.json /opt/kong-ts-pluginserver/package.json
COPY --from=build /opt/kong-ts-pluginserver/node_modules /opt/kong-ts-pluginserver/node_modules
COPY --from=build /opt/kong-ts-pluginserver/bin /opt/kong-ts-pluginserver/bin
COPY --from=build /opt/kong-ts-pluginserver/dist /opt/kong-ts-pluginserver/dist
COPY --chmod=0755 docker/kong-ts-pluginserver /usr/local/bin/kong-ts-pluginserver
COPY kong.conf /etc/kong/kong.conf
COPY kong.yml /etc/kong/kong.yml
# Node's compile cache makes the start faster. It is kept per user, so it is filled by the one who runs, who may not
# write to it afterwards. The dumps answer the questions of kong.conf whose answer depends on no variable, see
# docker/kong-ts-pluginserver. Fails the build, not the gateway, when this Kong image cannot run this node.
RUN install -d -o kong /opt/kong-ts-pluginserver/dist/compile-cache /opt/kong-ts-pluginserver/dumps
USER kong
RUN grep '^pluginserver_js_.*_query_cmd' /etc/kong/kong.conf | while read -r _ _ program question; do \
      file="/opt/kong-ts-pluginserver/dumps/$question.json"; \
      install -d "${file%/*}" && $program $question >"$file" || exit 1; \
    done
RUN kong-ts-pluginserver --dump-all-plugins >/dev/null; \
    timeout 3 kong-ts-pluginserver --socket /tmp/warm-up.sock; \
    kong-ts-pluginserver --version
USER root
RUN cd /opt/kong-ts-pluginserver && chown -R root dist/compile-cache dumps && chmod -R a+rX,a-w dist/compile-cache dumps
USER kong
