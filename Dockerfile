# The demo application of docker-compose.yml, on a PostgreSQL of its own by PGHOST.
ARG NODE_TAG=24.21.0-alpine

FROM node:${NODE_TAG} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The scripts of development tools link PostgreSQL's libraries and the like, which nothing here needs.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build
# What applications bring along (express, pg) is here for development: --omit=dev would leave it out.
RUN npm pkg delete devDependencies && npm prune --ignore-scripts --no-audit --no-fund

FROM node:${NODE_TAG}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY demo ./demo
USER node
EXPOSE 3000
# Node runs the demo's TypeScript as it is. No npm and no shell between it and the signal that stops it.
CMD ["node", "demo/main.ts"]
