# docker build -t wildmark . && docker run --rm -v "$PWD:/work" wildmark demo
FROM node:20-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
COPY --from=build /src/package.json /opt/wildmark/package.json
COPY --from=build /src/node_modules /opt/wildmark/node_modules
COPY --from=build /src/dist /opt/wildmark/dist
RUN ln -s /opt/wildmark/dist/cli/main.js /usr/local/bin/wildmark && chmod +x /opt/wildmark/dist/cli/main.js
USER node
WORKDIR /work
ENTRYPOINT ["wildmark"]
CMD ["--help"]
