import express from "express";
import pg from "pg";
import { poolscope } from "poolscope";
import { scenario } from "./scenario.cjs";

await scenario({ poolscope, express, pg });
