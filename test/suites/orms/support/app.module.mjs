import "reflect-metadata";
import { Module } from "@nestjs/common";
import { TypeOrmModule } from "@nestjs/typeorm";

const url = process.env["DATABASE_URL"] ?? "";

export class AppModule {}
Module({ imports: [TypeOrmModule.forRoot({ type: "postgres", url, poolSize: 3 })] })(AppModule);
