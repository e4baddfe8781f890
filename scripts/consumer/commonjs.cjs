const express = require("express");
const pg = require("pg");
const { poolscope } = require("poolscope");
const { scenario } = require("./scenario.cjs");

scenario({ poolscope, express, pg });
