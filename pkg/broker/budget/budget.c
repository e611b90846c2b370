#include "pkg/broker/budget/budget.h"
